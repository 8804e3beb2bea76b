"""A yard of runs with the real registry and datasets; only the processes are played."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from modelyard.canonical import digest, file_digest
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.registry.records import Artifact, Pins, Run, RunState, VersionClaim
from modelyard.registry.run_spec import RunSpec
from modelyard.registry.transfer import register_version
from modelyard.training.job_names import is_build
from modelyard.training.launchers.launcher import Job, JobSpec, JobState
from modelyard.training.moves import Moves
from modelyard.training.reconcile import Reconciler
from modelyard.training.requests import plan_run
from tests.registries import Clock, open_registry
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


class PlayedLauncher:
    """A launcher whose processes do their work when a test lets them."""

    def __init__(self, registry: LocalRegistry, datasets: FilesystemDatasets, folder: Path) -> None:
        self.registry, self.datasets, self.folder = registry, datasets, folder
        self.jobs: dict[str, Job] = {}
        self.specs: dict[str, JobSpec] = {}
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self._files = count()

    def submit(self, spec: JobSpec) -> None:
        if spec.name not in self.jobs:
            self.jobs[spec.name] = Job(spec.name, JobState.RUNNING)
            self.specs[spec.name] = spec
            self.started.append(spec.name)

    def list(self) -> Sequence[Job]:
        return list(self.jobs.values())

    def logs(self, name: str) -> Iterator[bytes]:
        yield f"log of {name}".encode()

    def cancel(self, name: str) -> None:
        if name in self.jobs and self.jobs[name].state is JobState.RUNNING:
            self.cancelled.append(name)
            self.jobs[name] = Job(name, JobState.FAILED, reason="cancelled", permanent=True)

    def remove(self, name: str) -> None:
        self.jobs.pop(name, None)

    @property
    def running(self) -> Sequence[str]:
        return [job.name for job in self.jobs.values() if job.state is JobState.RUNNING]

    def end(self, name: str, how: str = "well") -> None:
        """Let a process end: well, badly (for good), suddenly, unseen, or suddenly after its work was done."""
        outcome: dict[str, Any] = {"ok": True}
        if how in ("well", "late"):
            outcome |= self._work(name)
        if how == "badly":
            outcome = {"ok": False, "reason": "bad data", "permanent": True}
        if how in ("suddenly", "unseen", "late"):
            reason = "the process ended without an outcome"
            self.jobs[name] = Job(name, JobState.FAILED, reason=reason, lost=how == "unseen")
        else:
            state = JobState.SUCCEEDED if outcome["ok"] else JobState.FAILED
            self.jobs[name] = Job(name, state, outcome=json.dumps(outcome).encode())

    def _work(self, name: str) -> dict[str, Any]:
        task = json.loads(self.specs[name].task)
        if is_build(name):
            wanted = RunSpec.model_validate(task["spec"])
            with self.datasets.stage(f"training_sets/{wanted.training_set}") as staging:
                pq.write_table(yard.table(5), staging.path / "rows.parquet")
                staging.publish("all", details={"roles": yard.roles(), "audits": []})
            return {}
        # Every try makes other bytes, as real ones do.
        folder = self.folder / str(next(self._files))
        folder.mkdir(parents=True)
        file = folder / "model.json"
        file.write_text(json.dumps({"made": folder.name}))
        found = self.registry.find_version(wanted_model(task), request(task))
        if found is not None and found.run == task["run"]:
            return {"version": found.number}
        pins = Pins(
            config=RunSpec.model_validate(task["spec"]).config,
            code=digest("c"),
            environment=digest("e"),
            training_set=task["training_set_content"],
        )
        artifact = Artifact(path="model.json", size=file.stat().st_size, sha256=file_digest(file))
        model, run = wanted_model(task), task["run"]
        claim = VersionClaim(model=model, key=run, run=run, request=request(task), pins=pins, artifacts=(artifact,))
        return {"version": register_version(self.registry, claim, folder).number}


def wanted_model(task: dict[str, Any]) -> str:
    return str(task["spec"]["definition"]["document"]["name"])


def request(task: dict[str, Any]) -> str:
    return RunSpec.model_validate(task["spec"]).request


class Yard:
    """A registry, datasets, a played launcher and a loop over them."""

    def __init__(self, home: Path, parallel: int = 2) -> None:
        self.home = home
        self.clock = Clock(yard.TODAY)
        self.registry = open_registry(home)
        self.datasets = FilesystemDatasets(home / "datasets")
        self.launcher = PlayedLauncher(self.registry, self.datasets, home / "work")
        self.settings = yard.settings(home, parallel)

    def loop(self, around: Callable[[Any], Any] = lambda part: part) -> Reconciler:
        moves = Moves(around(self.registry), clock=self.clock, chance=lambda: 0.5)
        parts = (around(self.registry), around(self.launcher), around(self.datasets))
        return Reconciler(*parts, self.settings, moves=moves)

    def queue(self, name: str = "loans", code: str = "code", **document: Any) -> Run:
        made = yard.definition(name, **document)
        revision = self.revision(name)
        planned = plan_run(self.registry, yard.spec(made, code), project="tests", actor="tests")
        self.registry.apply_model(made.content(), project="tests", expected_revision=revision, run=planned)
        return self.registry.queue_run(planned)

    def revision(self, name: str) -> int:
        known = {record.name: record.revision for record in self.registry.models().items}
        return known.get(name, 0)

    def state(self, run: Run) -> RunState:
        return self.registry.run(run.id).state

    def play(self, how: str = "well") -> None:
        """Step until nothing is open, processes ending one way."""
        for _ in range(50):
            self.loop().step()
            for name in self.launcher.running:
                self.launcher.end(name, how)
            self.clock.pass_(seconds=10)
            if not self.registry.open_runs().items:
                self.loop().step()
                return
        pytest.fail("runs never end")
