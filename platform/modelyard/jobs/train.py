"""`python -m modelyard.jobs.train TASK.json`: one training run, in a process of its own, here or in a pod."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.training.job import Outcome, run_job
from modelyard.training.spec import TrainTask

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
    from modelyard.training.run_task import run_task
    from modelyard.wiring import open_registry_at

    task = TrainTask.model_validate_json(file.read_bytes())
    return run_task(task, open_registry_at(task.registry, actor=task.actor), file.parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
