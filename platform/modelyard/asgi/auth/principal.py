"""Who calls: a person, a service account, or a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RUN_PREFIX = "run:"
"""What a run's name in the history begins with, and nobody else's may."""


class Role(StrEnum):
    """What somebody may do, for the models of his teams."""

    VIEWER = "viewer"
    """Reads, and asks for predictions."""
    AUTHOR = "author"
    """Applies definitions, queues and cancels runs, registers versions."""
    APPROVER = "approver"
    """Approves, promotes, rolls back and archives versions."""
    OPERATOR = "operator"
    """Everything, of every team."""


@dataclass(frozen=True)
class OwnRun:
    """What a run's token is for."""

    id: str
    model: str
    team: str
    bundles: frozenset[str] = frozenset()
    """The digests of the project's modules that it imports."""


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    name: str
    """As the history has it."""
    roles: frozenset[Role] = frozenset()
    teams: frozenset[str] | None = frozenset()
    """The teams whose things he may change; None for every one."""
    reads_all: bool = False
    """Whether he sees the things of other teams as well."""
    run: OwnRun | None = None
    """The run that calls; what it may do hangs on that alone."""

    @property
    def is_operator(self) -> bool:
        """Whether he may do everything."""
        return Role.OPERATOR in self.roles

    def acts_for(self, team: str) -> bool:
        """Whether he may change what a team owns, if his roles let him."""
        return self.is_operator or self.teams is None or team in self.teams

    def sees(self, team: str) -> bool:
        """Whether he may know of what a team owns."""
        return self.reads_all or self.acts_for(team)
