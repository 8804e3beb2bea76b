"""What jobs are called: after the run and the try that they are of, the training set that they build, or as trials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from modelyard.registry.records import Run
    from modelyard.registry.run_spec import RunSpec

_TRAINING = re.compile(r"(?P<run>[a-z0-9-]+-[0-9a-f]{12}-[0-9]+)-[0-9]+")
_BUILD = re.compile(r"build-[0-9a-f]{20}-[0-9]+")
_TRIAL = re.compile(r"trial-[0-9a-f]{12}(-build)?")
_DIGEST = 20  # characters of a digest in a job's name: enough to be unique, few enough for any launcher


def training_job(run: Run) -> str:
    """The name of the job of a run's present try."""
    return f"{run.id}-{run.tries}"


def build_prefix(spec: RunSpec) -> str:
    """What the names of the jobs that build a training set begin with."""
    return f"build-{spec.training_set[:_DIGEST]}-"


def run_of(job: str) -> str | None:
    """The id of the run whose training a job is; None for other jobs."""
    match = None if is_build(job) else _TRAINING.fullmatch(job)
    return match["run"] if match else None


def is_build(job: str) -> bool:
    """Whether a job builds a training set."""
    return _BUILD.fullmatch(job) is not None


def new_trial() -> str:
    """The name of a trial's job; that of the one that builds its training set has `-build` behind it."""
    return f"trial-{uuid4().hex[:12]}"


def is_trial(job: str) -> bool:
    """Whether a job is of a trial, and not of a run."""
    return _TRIAL.fullmatch(job) is not None
