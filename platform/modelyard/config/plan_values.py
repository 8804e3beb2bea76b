"""What a plan is made of: what the registry holds, and what would change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.config.differences import FieldChange

Key = tuple[str, str]
"""A document's kind and name."""


VALUES, UPKEEP = "values", "upkeep"
"""The parts of a feature set: what decides its values, and what does not."""


@dataclass(frozen=True)
class HeldModel:
    """A model as the registry holds it."""

    name: str
    project: str
    revision: int
    definition: Mapping[str, Any]
    """The content of the definition that was applied last."""
    archived: bool = False
    trained: bool = True
    """Whether it has a version."""


@dataclass(frozen=True)
class HeldFeatureSet:
    """The newest version of a feature set, as the registry holds it."""

    name: str
    project: str
    number: int
    digest: str
    definition: Mapping[str, Any]
    """The content of the version's definition."""
    archived: bool = False


@dataclass(frozen=True)
class Held:
    """What the registry holds, of this project and of others."""

    models: Mapping[str, HeldModel]
    feature_sets: Mapping[str, HeldFeatureSet]


class Action(StrEnum):
    """What is done to a model or a feature set."""

    CREATE = "create"
    RESTORE = "restore"
    """It was archived, and its document is here again."""
    UPDATE = "update"
    """A model's next revision; a feature set's next version, or its present one described anew."""
    ARCHIVE = "archive"


@dataclass(frozen=True)
class Change:
    """One model or feature set that changes."""

    kind: str
    name: str
    action: Action
    held: int = 0
    """The revision, or the version's number, that the registry holds; 0 for none."""
    parts: tuple[str, ...] = ()
    """Which parts differ: of a model training, deployment, prose; of a feature set `VALUES` or else `UPKEEP`."""
    run: bool = False
    """Whether a model is trained."""
    fields: tuple[FieldChange, ...] = ()
    because: tuple[str, ...] = ()
    """The changed feature sets for which a selected model is trained."""

    def content(self) -> dict[str, Any]:
        """The change as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action.value,
            "held": self.held,
            "parts": list(self.parts),
            "run": self.run,
            "fields": [field.content() for field in self.fields],
            "because": list(self.because),
        }


@dataclass(frozen=True)
class Plan:
    """All that applying a project would change."""

    project: str
    environment: str
    only: tuple[Key, ...] | None
    """The documents that it was narrowed to."""
    changes: tuple[Change, ...]
    outdated: Mapping[str, tuple[str, ...]]
    """Models that were not selected and use feature sets that changed since they were applied, and these sets."""
    unset: tuple[str, ...]
    """Environment variables that are not set: what depends on them was not compared, and cannot be applied."""
    digest: str
    """The identity of what was compared: equal plans of an equal registry and project have an equal digest."""

    @property
    def has_changes(self) -> bool:
        """Whether applying it would change anything."""
        return bool(self.changes)

    def content(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {
            "project": self.project,
            "environment": self.environment,
            "only": None if self.only is None else [list(key) for key in self.only],
            "changes": [change.content() for change in self.changes],
            "outdated": {name: list(sets) for name, sets in self.outdated.items()},
            "unset": list(self.unset),
            "digest": self.digest,
        }
