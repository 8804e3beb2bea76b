"""Following a registry: what changed in it since it was read last, for whoever keeps something current with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelyard.errors import CursorLost
from modelyard.registry.pages import MOST

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry

_MODEL: Final = "model:"


@dataclass(frozen=True)
class Changes:
    """What happened since a reading before."""

    cursor: str
    """Where the next reading goes on."""
    models: frozenset[str]
    """The models that something happened to."""
    anew: bool
    """Whether nothing that was read before counts: it is the first reading, or the registry has gone back."""


def read_changes(registry: Registry, after: str | None) -> Changes:
    """What happened since a reading before.

    A registry that was restored from a backup has gone back: what was read last is gone, or another change stands in
    its place. It is read from its beginning then.

    Args:
        registry: The registry.
        after: The cursor of the reading before; None for the first.

    Raises:
        Unavailable: The registry can't answer now.
    """
    try:
        return _read(registry, after)
    except CursorLost:
        return _read(registry, None)


def _read(registry: Registry, after: str | None) -> Changes:
    models = set[str]()
    page = registry.changes(after=after, limit=MOST)
    while page.items:
        models |= {event.subject.removeprefix(_MODEL) for event in page.items if event.subject.startswith(_MODEL)}
        page = registry.changes(after=page.next, limit=MOST)
    return Changes(page.next, frozenset(models), anew=after is None)
