"""The reconcile loop over a launcher that only keeps lists: what a run costs, however many are queued.

A run is moved from QUEUED to its end in a registry of SQLite and a folder: three changes, a log, and the looks at the
jobs. The cost is this process's time on a processor, so that what else the machine does counts for nothing.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from bench.report import Row
from modelyard.config.definitions import ModelDefinition
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.registry.home import RegistryHome
from modelyard.registry.records import Outcome, Run, RunState
from modelyard.settings import read_settings
from modelyard.training.board import Limits
from modelyard.training.launchers.launcher import Job, JobState
from modelyard.training.reconcile import Reconciler
from modelyard.training.requests import make_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.training.launchers.launcher import JobSpec

FEW, MANY = 100, 10_000
REPEATS = 5  # of the few, before and after the many; one more comes first and does not count, as it loads what is used
AT_ONCE = 20
TARGET = 1.2
_STEPS = [{"use": "sklearn.linear_model.LogisticRegression"}]
_SOURCE = {
    "apiVersion": "modelyard/v1",
    "kind": "Source",
    "name": "loans",
    "format": "parquet",
    "path": "loans.parquet",
    "columns": {"id": "string", "amount": "double", "label": "integer"},
}
_DEFINITION = {
    "document": {
        "apiVersion": "modelyard/v1",
        "kind": "Model",
        "name": "loans",
        "task": "binary_classification",
        "data": {"labels": {"source": "loans", "entity": "id", "label": "label"}, "features": [{"source": "loans"}]},
        "pipeline": _STEPS,
    },
    "pipeline": _STEPS,
    "sources": {"loans": _SOURCE},
}


class Lists:
    """A launcher whose jobs have done their work by the next look."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._done = Outcome(ok=True).model_dump_json().encode()

    def submit(self, spec: JobSpec) -> None:
        """Keep a job."""
        self._jobs.setdefault(spec.name, Job(spec.name, JobState.RUNNING, run=spec.run, team=spec.team))

    def list(self) -> Sequence[Job]:
        """The jobs as they were; they have ended by the next time."""
        found = list(self._jobs.values())
        self._jobs = {name: Job(name, JobState.SUCCEEDED, outcome=self._done) for name in self._jobs}
        return found

    def logs(self, name: str) -> Iterator[bytes]:
        """A line."""
        yield f"log of {name}\n".encode()

    def cancel(self, name: str) -> None:
        """Forget a job."""
        self._jobs.pop(name, None)

    def remove(self, name: str) -> None:
        """Forget a job."""
        self._jobs.pop(name, None)


def run() -> list[Row]:
    """Measure."""
    _cost(FEW)
    before = [_cost(FEW) for _ in range(REPEATS)]
    many = _cost(MANY)
    few = statistics.mean([*before, *(_cost(FEW) for _ in range(REPEATS))])
    work = f"reconcile loop: a run of {MANY:,} queued, beside one of {FEW}"
    return [Row(work, f"{many * 1e3:.2f} ms", f"{few * 1e3:.2f} ms", many / few, TARGET)]


def _cost(runs: int) -> float:
    """Seconds of a processor for each run."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        registry = RegistryHome(home / "registry").registry("bench")
        datasets = FilesystemDatasets(home / "datasets")
        definition = ModelDefinition.model_validate(_DEFINITION)
        spec = make_spec(definition, [])
        with datasets.stage(f"training_sets/{spec.training_set}") as staging:
            pq.write_table(pa.table({"id": ["a"]}), staging.path / "rows.parquet")
            staging.publish("all", details={"roles": {}, "audits": []})
        model = registry.apply_model(definition.content(), project="bench", expected_revision=0)
        content = spec.content()
        for attempt in range(1, runs + 1):
            registry.queue_run(
                Run(
                    id=spec.run_id(attempt),
                    model=model.name,
                    project="bench",
                    team=model.team,
                    request=spec.request,
                    attempt=attempt,
                    spec=content,
                    state=RunState.QUEUED,
                    created_at=model.created_at,
                    created_by="bench",
                )
            )
        loop = Reconciler(registry, Lists(), datasets, read_settings(home, {}), limits=Limits(AT_ONCE, in_pods=True))
        begun = time.process_time()
        while loop.step():
            pass
        spent = time.process_time() - begun
        ended = sum(run.state is RunState.SUCCEEDED for run in registry.runs(limit=1000).items)
        if ended != min(runs, 1000):
            msg = f"{ended} of {runs} runs have ended"
            raise AssertionError(msg)
        return spent / runs
