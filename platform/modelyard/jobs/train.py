"""`python -m modelyard.jobs.train TASK.json`: one training run, in a process of its own, here or in a pod."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.training.job import run_job
from modelyard.training.spec import TrainTask

if TYPE_CHECKING:
    from modelyard.registry.records import Outcome


def train(file: Path) -> Outcome:
    """Do the run that a task's file describes."""
    from modelyard.training.run_task import run_task
    from modelyard.wiring import open_registry_at

    task = TrainTask.model_validate_json(file.read_bytes())
    return run_task(task, open_registry_at(task.registry, actor=task.actor), file.parent)


if __name__ == "__main__":
    sys.exit(run_job(train, Path(sys.argv[1])))
