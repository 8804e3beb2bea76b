"""Controllers as processes, over a registry in a folder and a namespace of a real cluster; pods play the jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import yaml

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.training.logs import read_log
from modelyard.training.requests import plan_run
from tests.cluster.tools import until
from tests.cluster.world import kubeconfig
from tests.registries import open_registry
from tests.training import yard
from tests.waiting import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.records import Run
    from tests.cluster.world import World

LEASE = "modelyard-controller-modelyard"
KEY = "0123456789abcdef" * 4


@dataclass
class Controllers:
    """A registry, and processes that run what it holds."""

    world: World
    home: Path
    kubeconfig: Path
    profile: dict[str, Any] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = open_registry(self.home)
        self.datasets = FilesystemDatasets(self.home / "datasets")
        spec = yard.spec(yard.definition())
        with self.datasets.stage(f"training_sets/{spec.training_set}") as staging:
            pq.write_table(yard.table(5), staging.path / "rows.parquet")
            staging.publish("all", details={"roles": yard.roles(), "audits": []})
        made = self.world.profile(**self.profile).model_dump(mode="json", exclude_defaults=True)
        (self.home / "profile.yaml").write_text(yaml.safe_dump(made))
        (self.home / "key").write_text(KEY)

    def queue(self, name: str, **document: Any) -> Run:
        """Queue a run of a model; the first word of its name is what its pod does."""
        usual: dict[str, Any] = {"resources": {"cpu": 0.05, "memory": "64Mi"}, "owner": "credit-ke"}
        made = yard.definition(name, **{**usual, **document})
        known = {record.name: record.revision for record in self.registry.models(limit=1000).items}
        planned = plan_run(self.registry, yard.spec(made), project="tests", actor="tests", again=name in known)
        self.registry.apply_model(made.content(), project="tests", expected_revision=known.get(name, 0), run=planned)
        return self.registry.run(planned.id)

    def start(self) -> subprocess.Popen[bytes]:
        """One more controller."""
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "KUBECONFIG": str(self.kubeconfig),
            "MODELYARD_HOME": str(self.home),
            "MODELYARD_LAUNCHER": "kubernetes",
            "MODELYARD_CONTROLLER_FILE": str(self.home / "profile.yaml"),
            "MODELYARD_RUN_KEY_FILE": str(self.home / "key"),
        }
        log = (self.home / f"controller-{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "modelyard.cli.main", "controller", "--port", "0"],
                env=environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def lease(self) -> dict[str, Any]:
        """The Lease, as it is."""
        found = self.world.object("leases", LEASE)
        return {} if found is None else dict(found["spec"])

    def leads_after(self, transitions: int) -> None:
        """Wait until somebody leads who did not before."""
        until(lambda: self.lease().get("leaseTransitions", 0) > transitions, seconds=120, what="another leader")

    def log(self, run: Run) -> bytes:
        """What is kept of a run's log."""
        return read_log(self.registry.run(run.id), self.registry, None)

    def logs(self) -> str:
        """What the processes have printed."""
        return "\n".join(file.read_text() for file in sorted(self.home.glob("controller-*.log")))


def kill(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """End a process, at once."""
    process.send_signal(number)
    process.wait(30)


class Watched:
    """The pods and Jobs of a namespace, looked at again and again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.most = 0
        """The most pods at the same time that had not ended."""
        self.jobs: set[tuple[str, str]] = set()
        """The name and UID of every Job that was ever seen."""

    def look(self) -> None:
        pods = self._world.objects("pods", "app.kubernetes.io/managed-by=modelyard")
        alive = [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]
        self.most = max(self.most, len(alive))
        for job in self._world.objects("jobs"):
            self.jobs.add((job["metadata"]["name"], job["metadata"]["uid"]))


@contextmanager
def watched(world: World) -> Iterator[Watched]:
    """What is seen of a namespace until it ends."""
    seen = Watched(world)
    with meanwhile(seen.look, every=0.2):
        yield seen


def until_ended(controllers: Controllers, runs: list[Run], seconds: float) -> list[Run]:
    """The runs, once all have ended."""
    end = time.monotonic() + seconds
    while True:
        found = [controllers.registry.run(run.id) for run in runs]
        if all(run.state.terminal for run in found):
            return found
        if time.monotonic() > end:
            states = [(run.id, run.state, run.reason) for run in found if not run.state.terminal]
            raise AssertionError(f"not ended: {states}\n{controllers.logs()}")  # noqa: EM102 - a test's own
        time.sleep(0.5)


def controlling(world: World, home: Path, **profile: Any) -> Iterator[Controllers]:
    """Controllers, ended at the end."""
    home.mkdir(exist_ok=True)
    made = Controllers(world, home, kubeconfig(), {"jobs": 4, **profile})
    try:
        yield made
    finally:
        made.end()
