"""`python -m modelyard.jobs.build [TASK.json]`: build a training set, with the platform's code and identity.

Feature partitions that are missing are back-filled, sources are audited, and the training set is published as a
dataset. Every run that asks for the same one shares it. If the process dies, nothing half is seen, and the next try
goes on from the partitions that are there.

Here it is handed its task in a file. In a pod it has no argument, and reads from the registry what its run asks for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import Unauthenticated, Unavailable
from modelyard.registry.records import Outcome
from modelyard.registry.run_spec import read_run_spec
from modelyard.training.job import run_job, tell
from modelyard.training.tasks import BuildTask

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry
    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings


def build_from_file(file: Path) -> Outcome:
    """Build the training set that a task's file asks for."""
    from modelyard.settings import read_settings
    from modelyard.wiring import open_registry

    task = BuildTask.model_validate_json(file.read_bytes())
    settings = read_settings(Path(task.root), task.environment)
    return build(task.spec, settings, open_registry(settings))


def build_in_pod(settings: Settings, registry: Registry) -> Outcome:
    """Build the training set that the pod's run asks for.

    Raises:
        Unavailable: The run has ended, and its token with it. Others may wait for the same training set: it is not
            their failure, and they try again with a token of theirs.
    """
    try:
        return build(read_run_spec(registry.run(settings.run)), settings, registry)
    except Unauthenticated as error:
        raise Unavailable(error.reason, "the next try is another run's") from error


def build(spec: RunSpec, settings: Settings, registry: Registry) -> Outcome:
    """Build a training set.

    Args:
        spec: What asks for it.
        settings: Where sources and datasets are.
        registry: Where the feature sets are recorded.
    """
    from modelyard.features.training_set import build_training_set
    from modelyard.wiring import open_datasets, open_engine

    manifest = build_training_set(
        spec,
        registry=registry,
        engine=open_engine(settings),
        datasets=open_datasets(settings),
        progress=tell,
    )
    tell(f"published {manifest.rows:,} rows", 1.0)
    return Outcome(ok=True)


def main() -> int:
    """The job's exit code."""
    if len(sys.argv) > 1:
        return run_job(build_from_file, Path(sys.argv[1]))
    from modelyard.jobs.pod import run_pod

    return run_pod(build_in_pod, ends_run=False)  # the run goes on, and trains


if __name__ == "__main__":
    sys.exit(main())
