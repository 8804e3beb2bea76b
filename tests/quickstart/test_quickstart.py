"""The quick start as a user runs it: twice in a row, and killed with all its processes at seeded moments."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import modelyard
from modelyard.registry.records import RunState, VersionState

if TYPE_CHECKING:
    from modelyard.registry.records import ModelVersion
    from modelyard.workspace import Workspace

LENDER = Path(__file__).parents[2] / "configs" / "lender"
MODELS = 9
ROUNDS, KILLS_A_ROUND = 5, 4
BORROWERS = "400"  # in each market: enough for every model to pass its gates, few enough to run it again and again

pytestmark = [pytest.mark.quickstart, pytest.mark.timeout(3600)]


@pytest.fixture
def lender(tmp_path: Path) -> Path:
    """A copy of the lender's folder, as a team would make it."""
    return Path(shutil.copytree(LENDER, tmp_path / "lender", ignore=shutil.ignore_patterns("data", ".modelyard")))


def start(lender: Path) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["/bin/sh", "quickstart.sh"],
        cwd=lender,
        env={**os.environ, "PATH": path, "BORROWERS": BORROWERS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(lender: Path) -> str:
    process = start(lender)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def kill_tree(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started, each at once, whatever process group it is in."""
    root = psutil.Process(process.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        root.suspend()  # so that it starts nothing more meanwhile
        for child in root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        for child in root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        root.send_signal(signal.SIGKILL)
    process.communicate()


def versions(workspace: Workspace, model: str) -> tuple[ModelVersion, ...]:
    return workspace.registry.versions(model).items


def check(lender: Path) -> dict[str, int]:
    """Every model has one version, whole and promoted once; what it scored is whole. Returns the versions' numbers."""
    workspace = modelyard.open(lender)
    models = sorted(workspace.project.models)
    assert len(models) == MODELS
    numbers: dict[str, int] = {}
    for model in models:
        (version,) = versions(workspace, model)
        assert version.state is VersionState.READY
        for artifact in version.artifacts:
            workspace.registry.download_artifact(model, version.number, artifact.path, lender / "check" / artifact.path)
        assert [fact.version for fact in workspace.registry.promotions(model)] == [version.number]
        dataset = f"predictions/{model}/{version.number}"
        assert list(workspace.datasets.partitions(dataset)) == ["2026-07-01"]
        manifest = workspace.datasets.manifest(dataset, "2026-07-01")
        assert manifest is not None
        workspace.datasets.verify(manifest)
        numbers[model] = version.number
    assert not workspace.registry.open_runs().items
    assert {run.state for run in workspace.registry.runs(limit=1000).items} == {RunState.SUCCEEDED}
    return numbers


def test_a_second_run_changes_nothing_and_says_so(lender: Path) -> None:
    finish(lender)
    made = check(lender)
    runs = modelyard.open(lender).registry.runs(limit=1000)

    output = finish(lender)

    assert check(lender) == made
    assert modelyard.open(lender).registry.runs(limit=1000) == runs
    assert "No changes" in output
    assert "nothing to do" in output.lower()


def test_killed_at_twenty_seeded_moments_it_completes_when_run_again(lender: Path) -> None:
    moments = random.Random(20260701)  # noqa: S311 - moments to kill at are no secret
    started = time.monotonic()
    finish(lender)
    duration = time.monotonic() - started
    for _ in range(ROUNDS):
        shutil.rmtree(lender / ".modelyard")
        shutil.rmtree(lender / "data")
        for _ in range(KILLS_A_ROUND):
            process = start(lender)
            time.sleep(moments.uniform(0, duration / 2))
            kill_tree(process)
        finish(lender)
        check(lender)
