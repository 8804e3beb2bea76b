"""The jobs of a moment: which runs look at them, and which cores they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.training.launchers.launcher import JobState
from modelyard.training.tasks import build_prefix, is_build, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelyard.training.launchers.launcher import Job
    from modelyard.training.spec import RunSpec

BUILD_CORES = 1.0
"""What a job that builds a training set counts for."""


@dataclass
class Board:
    """The jobs that a launcher listed, and what a step has found out about them so far."""

    jobs: dict[str, Job]
    """Those of runs; others, such as trials, are not this board's."""
    capacity: float
    """The cores that all jobs may take together."""
    used: float = 0
    needed: set[str] = field(default_factory=set)
    """Jobs that open runs look at."""
    unmet: set[str] = field(default_factory=set)
    """Jobs whose runs were not met yet."""
    ended: set[str] = field(default_factory=set)
    """Builds that run, although what they build is there: their processes end this moment."""
    is_full: bool = False
    """Whether a run was refused its cores; whoever comes later waits behind it, however little he asks for."""

    def take(self, cores: float) -> bool:
        """Take cores for a job: if there are as many, or if nothing else runs."""
        if self.is_full or (self.used and self.used + cores > self.capacity):
            self.is_full = True
            return False
        self.used += cores
        return True

    def release(self, job: Job | None) -> None:
        """Give back the core of a build whose training set is there."""
        if job is not None and job.state is JobState.RUNNING and job.name not in self.ended:
            self.ended.add(job.name)
            self.used -= BUILD_CORES

    def building(self, spec: RunSpec) -> Job | None:
        """The job that builds a training set just now, whichever run's it is."""
        prefix = build_prefix(spec)
        running = (job for job in self.jobs.values() if job.state is JobState.RUNNING)
        return next((job for job in running if job.name.startswith(prefix)), None)

    def unneeded(self, *, met_all: bool) -> list[str]:
        """Jobs that no open run looks at: their outcome is recorded, or their runs ended without them.

        Args:
            met_all: Whether every open run was met. A build that runs may be shared with one that was not.
        """
        return [
            name
            for name, job in self.jobs.items()
            if name not in self.needed
            and (met_all or (name not in self.unmet and not (is_build(name) and job.state is JobState.RUNNING)))
        ]


def make_board(jobs: Iterable[Job], capacity: float, cores_of: Callable[[str], float]) -> Board:
    """A board of listed jobs.

    Args:
        jobs: What the launcher lists.
        capacity: The cores that all jobs may take together.
        cores_of: From a run's id to the cores that it asks for.
    """
    own = {job.name: job for job in jobs if is_build(job.name) or run_of(job.name)}
    running = (name for name, job in own.items() if job.state is JobState.RUNNING)
    used = sum(BUILD_CORES if (run := run_of(name)) is None else cores_of(run) for name in running)
    return Board(own, capacity, used=used, unmet=set(own))
