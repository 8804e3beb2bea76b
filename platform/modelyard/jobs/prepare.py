"""`python -m modelyard.jobs.prepare TASK.json`: build a training set, with the platform's code and identity.

Feature partitions that are missing are back-filled, sources are audited, and the training set is published as a
dataset. Every run that asks for the same one shares it. If the process dies, nothing half is seen, and the next try
goes on from the partitions that are there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.training.job import Outcome, run_job, tell
from modelyard.training.spec import PrepareTask

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the task in a file.

    Args:
        arguments: The file.

    Returns:
        0 done, 65 failed for good, 75 to be tried again.
    """
    file = Path(arguments[0])
    return run_job(lambda: _run(file), file.parent)


def _run(file: Path) -> Outcome:
    from modelyard.features.training_set import build_training_set
    from modelyard.settings import read_settings
    from modelyard.wiring import open_datasets, open_engine, open_registry

    task = PrepareTask.model_validate_json(file.read_bytes())
    settings = read_settings(Path(task.root), task.environment)
    manifest = build_training_set(
        task.request,
        registry=open_registry(settings),
        engine=open_engine(settings),
        datasets=open_datasets(settings),
        progress=tell,
    )
    tell(f"published {manifest.rows:,} rows", 1.0)
    return Outcome(ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
