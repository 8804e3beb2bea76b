"""The chart, rendered by Helm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "modelyard"
KUBERNETES = ("1.30", "1.31", "1.32", "1.33", "1.34")
CASES = sorted((CHART / "ci").glob("*.yaml"))

Object = dict[str, Any]


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Helm; its exit code is the caller's to look at."""
    if shutil.which("helm") is None:
        pytest.fail("there is no helm on the PATH; install Helm 3, and run: make test-chart")
    return subprocess.run(["helm", *words], capture_output=True, text=True, check=False)  # noqa: S607 - whichever helm there is


def rendered(*words: str, kubernetes: str = KUBERNETES[-1], namespace: str = "yard") -> list[Object]:
    """What the chart makes."""
    done = helm("template", "mine", str(CHART), "--namespace", namespace, "--kube-version", f"{kubernetes}.0", *words)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def named(objects: list[Object], kind: str, end: str, namespace: str | None = None) -> Object:
    """The one object of a kind whose name ends so."""
    found = [
        one
        for one in objects
        if one["kind"] == kind
        and one["metadata"]["name"].endswith(end)
        and namespace in {None, one["metadata"].get("namespace")}
    ]
    assert len(found) == 1, [one["metadata"] for one in found]
    return found[0]


def pods(objects: list[Object]) -> list[tuple[str, Object]]:
    """Every pod's specification, with the name of what makes it."""
    return [
        (one["metadata"]["name"], one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"])
        for one in objects
        if one["kind"] in {"Pod", "Deployment"}
    ]
