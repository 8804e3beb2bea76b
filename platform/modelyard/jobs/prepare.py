"""`python -m modelyard.jobs.prepare TASK.json`: build a training set, with the platform's code and identity.

Feature partitions that are missing are back-filled, sources are audited, and the training set is published as a
dataset. Every run that asks for the same one shares it. If the process dies, nothing half is seen, and the next try
goes on from the partitions that are there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelyard.registry.records import Outcome
from modelyard.training.job import run_job, tell
from modelyard.training.spec import PrepareTask


def prepare(file: Path) -> Outcome:
    """Build the training set that a task's file asks for."""
    from modelyard.features.training_set import build_training_set
    from modelyard.settings import read_settings
    from modelyard.wiring import open_datasets, open_engine, open_registry

    task = PrepareTask.model_validate_json(file.read_bytes())
    settings = read_settings(Path(task.root), task.environment)
    manifest = build_training_set(
        task.spec,
        registry=open_registry(settings),
        engine=open_engine(settings),
        datasets=open_datasets(settings),
        progress=tell,
    )
    tell(f"published {manifest.rows:,} rows", 1.0)
    return Outcome(ok=True)


if __name__ == "__main__":
    sys.exit(run_job(prepare, Path(sys.argv[1])))
