"""A run's log: what its job has printed so far, or what was kept when it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.registry.records import RunState
from modelyard.training.spec import RunSpec
from modelyard.training.tasks import build_prefix, training_job

if TYPE_CHECKING:
    from modelyard.registry.records import Run
    from modelyard.registry.registry import Registry
    from modelyard.training.launchers.launcher import Launcher


def read_log(run: Run, registry: Registry, launcher: Launcher) -> bytes:
    """What is known of a run's log by now; nothing where it has not printed yet.

    Args:
        run: The run.
        registry: Keeps the logs of what has ended.
        launcher: Has those of what runs on this machine.
    """
    if run.state is RunState.TRAINING:
        return b"".join(launcher.logs(training_job(run)))
    if run.state is RunState.BUILDING:
        prefix = build_prefix(RunSpec.model_validate(run.spec))
        jobs = (job.name for job in launcher.list() if job.name.startswith(prefix))
        return b"".join(chunk for job in jobs for chunk in launcher.logs(job))
    try:
        return b"".join(registry.read_run_log(run.id))
    except NotFound:
        return b""
