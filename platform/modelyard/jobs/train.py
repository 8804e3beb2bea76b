"""`python -m modelyard.jobs.train [TASK.json]`: one training run, in a process of its own.

Here it is handed its task in a file. In a pod it has no argument: it asks the registry for the task, with the token of
its run, and is given URLs of its training set's files and of nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import UsageError
from modelyard.training.job import run_job
from modelyard.training.tasks import TrainTask

if TYPE_CHECKING:
    from modelyard.registry.records import Outcome
    from modelyard.registry.registry import Registry
    from modelyard.settings import Settings


def train(file: Path) -> Outcome:
    """Do the run that a task's file describes."""
    from modelyard.registry.credential import Credential
    from modelyard.training.run_task import run_task
    from modelyard.wiring import open_registry_at

    task = TrainTask.model_validate_json(file.read_bytes())
    registry = open_registry_at(task.registry, actor=task.actor, credential=Credential(task.token))
    return run_task(task, registry, file.parent)


def train_in_pod(settings: Settings, registry: Registry) -> Outcome:
    """Do the run that the pod is of."""
    from tempfile import TemporaryDirectory

    from modelyard.registry.http import HttpRegistry
    from modelyard.training.run_task import run_task

    if not isinstance(registry, HttpRegistry):
        reason = f"a pod asks a registry service for its task, and `{settings.registry}` is none"
        raise UsageError(reason, "say its address in the controller's file")
    task = TrainTask.model_validate_json(registry.run_task(settings.run))
    with TemporaryDirectory() as folder:
        return run_task(task, registry, Path(folder))


def main() -> int:
    """The job's exit code."""
    if len(sys.argv) > 1:
        return run_job(train, Path(sys.argv[1]))
    from modelyard.jobs.pod import run_pod

    return run_pod(train_in_pod)


if __name__ == "__main__":
    sys.exit(main())
