"""Sixty runs at once: never more pods than the limit, each trained once, whoever dies and whatever is away meanwhile.

TEST_NODE_COMMAND is put before a command that is to run on the node, such as `docker exec kind-control-plane`; empty
where this machine is the node. TEST_STOP_APISERVER and TEST_START_APISERVER are an outage of the API server and its
end, over when it answers; TEST_AUDIT_COMMAND prints the API server's audit log, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.cluster.installation import Installation, installations
from tests.cluster.tools import until
from tests.waiting import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

RUNS, LIMIT, KILLS = 60, 6, 5
OUTAGE = 60  # seconds
DOCUMENTS = f"""\
apiVersion: modelyard/v1
kind: Source
name: flowers
format: csv
path: package:sklearn/datasets/data/iris.csv
csv: {{skip: 1, names: [sepal_length, sepal_width, petal_length, petal_width, species]}}
columns: {{sepal_length: double, sepal_width: double, petal_length: double, petal_width: double, species: integer}}
---
apiVersion: modelyard/v1
kind: Model
name: many_${{n}}
for_each: {{n: {list(range(1, RUNS + 1))}}}
task: multiclass_classification
data:
  labels: {{source: flowers, label: species}}
  features: [{{source: flowers}}]
pipeline:
  - {{use: sklearn.tree.DecisionTreeClassifier, with: {{max_depth: 3}}}}
seed: ${{n}}
evaluation: {{metrics: [accuracy]}}
resources: {{cpu: 0.1, memory: 512Mi, timeout: 10m}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    needed = ("TEST_STOP_APISERVER", "TEST_START_APISERVER", "TEST_AUDIT_COMMAND")
    if missing := [name for name in needed if not os.environ.get(name)]:
        pytest.fail(f"set {', '.join(missing)}, as docs/operators-kubernetes.md says")
    yield from installations(tmp_path_factory.mktemp("many"), training={"profile": {"jobs": LIMIT}})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "modelyard.yaml").write_text(
        "apiVersion: modelyard/v1\nkind: Project\nname: many\ndefaults: {owner: credit}\nmodules: [sklearn]\n"
    )
    (folder / "many.yaml").write_text(DOCUMENTS)
    return folder


def test_sixty_runs_are_trained_once_each_whatever_dies(installed: Installation, project: Path) -> None:
    watch = Watch(installed)
    with meanwhile(watch.look, every=0.5):
        installed.cli("apply", person="amina", cwd=project)
        chance = random.Random(11)  # noqa: S311 - moments, no secrets
        for kill in range(KILLS):
            time.sleep(chance.uniform(5, 20))
            kill_leader(installed)
            if kill == KILLS // 2:
                until(lambda: len(trained(installed)) >= RUNS // 10, seconds=300, what="the first trained runs")
                command("TEST_STOP_APISERVER")
                time.sleep(OUTAGE)
                command("TEST_START_APISERVER")
        until(lambda: all(run["state"] in ENDED for run in runs(installed)), seconds=1200, what="the end of all runs")
    ended = runs(installed)
    assert len(ended) == RUNS
    assert {run["state"] for run in ended} == {"SUCCEEDED"}, [run["reason"] for run in ended if run["reason"]]
    assert watch.most <= LIMIT
    assert watch.looks > RUNS
    created = jobs_created(installed)
    training = [name for name in created if not name.startswith("build-")]
    assert len(training) == len(set(training)) == RUNS
    for run in ended:
        versions = read(installed, f"/v1/models/{run['model']}/versions")
        assert [(one["number"], one["state"]) for one in versions] == [(run["version"], "READY")]
    installed.cli("registry", "check")


ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


def runs(installed: Installation) -> list[dict[str, Any]]:
    return read(installed, "/v1/runs?limit=200")


def read(installed: Installation, path: str) -> list[dict[str, Any]]:
    """The items of a list of the registry."""
    answer = httpx.get(f"{installed.registry_url}{path}", headers=installed.headers("chao"), timeout=60)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def trained(installed: Installation) -> list[str]:
    return [run["id"] for run in runs(installed) if run["state"] == "SUCCEEDED"]


class Watch:
    """Counts the pods of runs that are there and have not ended, at each look that the API server answers."""

    def __init__(self, installed: Installation) -> None:
        self.most = self.looks = 0
        self._installed = installed

    def look(self) -> None:
        try:
            pods = self._installed.objects("pods", namespace=self._installed.runs)
        except AssertionError:
            return  # the API server is away, as it is meant to be
        self.looks += 1
        here = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
        self.most = max(self.most, len(here))


def kill_leader(installed: Installation) -> None:
    """SIGKILL for the controller that holds the Lease; another one leads when this returns."""

    def lease() -> dict[str, Any]:
        (found,) = installed.objects("leases")
        return dict(found["spec"])

    held = until(lambda: (seen := lease()).get("holderIdentity") and seen, what="a leader")
    name, before = held["holderIdentity"], held.get("leaseTransitions", 0)
    (pod,) = [pod for pod in installed.objects("pods") if name.startswith(pod["metadata"]["name"])]
    uid = pod["metadata"]["uid"]
    groups = f"{uid}|{uid.replace('-', '_')}"  # systemd's names of groups have no hyphens
    script = (
        f"for p in $(grep -lE '{groups}' /proc/[0-9]*/cgroup | cut -d/ -f3); do"
        " if tr '\\0' ' ' < /proc/$p/cmdline | grep -q controller; then kill -9 $p && echo $p; fi; done"
    )
    node = shlex.split(os.environ.get("TEST_NODE_COMMAND", ""))
    done = subprocess.run([*node, "sh", "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split(), f"no process of {name} is on the node: TEST_NODE_COMMAND does not lead there"
    until(lambda: lease().get("leaseTransitions", 0) > before, seconds=120, what="another leader")


def jobs_created(installed: Installation) -> list[str]:
    """The Jobs that the API server's audit log says were created in the training namespace."""
    printed = command("TEST_AUDIT_COMMAND").splitlines()
    events = [json.loads(line) for line in printed if installed.runs in line]
    return [
        event["objectRef"]["name"]
        for event in events
        if event["verb"] == "create"
        and event["objectRef"].get("resource") == "jobs"
        and event["objectRef"].get("namespace") == installed.runs
        and event["responseStatus"]["code"] == httpx.codes.CREATED
    ]


def command(variable: str) -> str:
    """Run what a variable says."""
    done = subprocess.run(shlex.split(os.environ[variable]), check=True, capture_output=True, text=True, timeout=180)
    return done.stdout
