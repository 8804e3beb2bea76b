"""Following a registry: what changed in it since it was read last, for whoever keeps something current with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelyard.registry.pages import MOST

if TYPE_CHECKING:
    from modelyard.registry.records import Event
    from modelyard.registry.registry import Registry

_MODEL: Final = "model:"


@dataclass(frozen=True)
class Changes:
    """What happened since a change that was read before."""

    last: Event | None
    """The last change, from which the next reading goes on; None where nothing has ever happened."""
    models: frozenset[str]
    """The models that something happened to."""
    anew: bool
    """Whether nothing that was read before counts: it is the first reading, or the registry has gone back."""


def read_changes(registry: Registry, last: Event | None) -> Changes:
    """What happened since a change.

    A registry that was restored from a backup has gone back: the change that was read last is gone, or another one
    stands in its place. It is read from its beginning then.

    Args:
        registry: The registry.
        last: The last change that was read; None for the first reading.

    Raises:
        Unavailable: The registry can't answer now.
    """
    if last and tuple(registry.changes(after=last.sequence - 1, limit=1)) != (last,):
        last = None
    anew, models = last is None, set[str]()
    while events := registry.changes(after=last.sequence if last else 0, limit=MOST):
        last = events[-1]
        models |= {event.subject.removeprefix(_MODEL) for event in events if event.subject.startswith(_MODEL)}
    return Changes(last, frozenset(models), anew)
