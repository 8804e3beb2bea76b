"""The jobs of a moment: which runs look at them, and which cores they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from modelyard.training.job_names import build_prefix, is_build, is_trial, run_of
from modelyard.training.launchers.launcher import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modelyard.registry.run_spec import RunSpec
    from modelyard.training.launchers.launcher import Job

BUILD_CORES = 1.0
"""What a job that builds a training set counts for."""


@dataclass(frozen=True)
class Limits:
    """How much goes on at the same time."""

    total: float
    """Of all teams together."""
    per_team: float | None = None
    """Of one team; without bound of its own unless said."""
    teams: Mapping[str, float] = field(default_factory=dict)
    """Of some teams, instead."""
    in_pods: bool = False
    """Whether jobs are pods of a cluster, where each counts as one; else they count as the cores that they ask for."""

    def of_team(self, team: str) -> float:
        """How much of one team."""
        return self.teams.get(team, inf if self.per_team is None else self.per_team)


@dataclass
class Board:
    """The jobs that a launcher listed, and what a step has found out about them so far."""

    jobs: dict[str, Job]
    """All but those of trials, which whoever asked for one ends."""
    limits: Limits
    """How much all jobs may take together, and those of a team."""
    used: float = 0
    used_by: dict[str, float] = field(default_factory=dict)
    """What each team's jobs take of it."""
    needed: set[str] = field(default_factory=set)
    """Jobs that open runs look at."""
    unmet: set[str] = field(default_factory=set)
    """Jobs whose runs were not met yet."""
    ended: set[str] = field(default_factory=set)
    """Builds that run, although what they build is there: their processes end this moment."""
    is_full: bool = False
    """Whether a run was refused; whoever comes later waits behind it, however little he asks for."""
    full_teams: set[str] = field(default_factory=set)
    """Teams of which a run was refused: those of others go on."""

    def take(self, cores: float, team: str) -> bool:
        """Take cores for a job of a team: if there are as many, or if nothing else runs."""
        amount = 1 if self.limits.in_pods else cores
        if self.is_full_for(team):
            return False
        taken = self.used_by.get(team, 0)
        if taken and taken + amount > self.limits.of_team(team):
            self.full_teams.add(team)
            return False
        if self.used and self.used + amount > self.limits.total:
            self.is_full = True
            return False
        self.used += amount
        self.used_by[team] = taken + amount
        return True

    def is_full_for(self, team: str) -> bool:
        """Whether a run of a team would be refused, as one before it was."""
        return self.is_full or team in self.full_teams

    def refusal(self, team: str) -> str:
        """Why a run of a team was refused, in words."""
        what = "jobs" if self.limits.in_pods else "cores"
        if not self.is_full and team in self.full_teams:
            limit = self.limits.of_team(team)
            return f"its team's {what} to be free: {self.used_by.get(team, 0):g} of {limit:g} are taken"
        return f"free {what}: {self.used:g} of {self.limits.total:g} are taken"

    def release(self, job: Job | None) -> None:
        """Give back the core of a build whose training set is there; a pod counts until it is gone."""
        if self.limits.in_pods:
            return
        if job is not None and job.state is JobState.RUNNING and job.name not in self.ended:
            self.ended.add(job.name)
            self.used -= BUILD_CORES
            self.used_by[job.team] = self.used_by.get(job.team, 0) - BUILD_CORES

    def building(self, spec: RunSpec) -> Job | None:
        """The job that builds a training set just now, whichever run's it is."""
        prefix = build_prefix(spec)
        running = (job for job in self.jobs.values() if job.state is JobState.RUNNING and not job.ends)
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


def make_board(jobs: Iterable[Job], limits: Limits, cores_of: Callable[[str], float]) -> Board:
    """A board of listed jobs.

    Args:
        jobs: What the launcher lists.
        limits: How much all jobs may take together.
        cores_of: From a run's id to the cores that it asks for.
    """
    # Whatever it is called: a job that nobody knows takes as much as another, and ends as one that nobody needs.
    own = {job.name: job for job in jobs if not is_trial(job.name)}
    board = Board(own, limits, unmet=set(own))
    for name, job in own.items():
        if job.state is JobState.RUNNING:
            run = run_of(name)
            amount = 1 if limits.in_pods else BUILD_CORES if run is None else cores_of(run)
            board.used += amount
            board.used_by[job.team] = board.used_by.get(job.team, 0) + amount
    return board
