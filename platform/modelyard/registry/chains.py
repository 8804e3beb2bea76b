"""Events as links of a chain: each carries the hash of itself and of the one before it.

So the change cursor is the audit log as well. Whoever changes, removes or adds an event afterwards has to write every
later hash of its chain anew, and the chain's head; `modelyard.registry.audit` finds the first place where that was not
done. A store has one chain or several, and a subject's events lie all in one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.registry.layouts import decode, layout_of
from modelyard.registry.records import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

BEGINNING = ""
"""What stands for the hash before the first event."""


@dataclass(frozen=True)
class Happening:
    """An event before the store gives it its place in the change cursor."""

    subject: str
    """`model:NAME`, `feature_set:NAME` or `run:ID`."""
    type: str
    at: datetime
    by: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """An event as it is stored, a link of its chain."""

    position: int
    """Its place in the chain, from 1, without gaps."""
    subject: str
    """What it is found by."""
    layout: int
    body: str
    """The JSON of the event without its hash: these very bytes are hashed."""
    hash: str


@dataclass(frozen=True)
class Head:
    """Where a chain ends."""

    chain: str
    """The chain's name within the store."""
    position: int = 0
    """The position of its last event; 0 where there is none."""
    hash: str = ""
    """The hash of its last event."""


def link_hash(previous: str, layout: int, body: str) -> str:
    """The hash of an event whose chain had the hash `previous` before it: the SHA-256 of the three, in lines."""
    return hashlib.sha256(f"{previous}\n{layout}\n{body}".encode()).hexdigest()


def make_link(previous: str, position: int, event: Event) -> Link:
    """An event at its place."""
    body = event.model_copy(update={"sequence": position}).model_dump_json(exclude={"hash"})
    layout = layout_of(Event)
    return Link(position, event.subject, layout, body, link_hash(previous, layout, body))


def links_after(position: int, previous: str, happenings: Iterable[Happening]) -> Iterator[Link]:
    """The links that tell of what happened, after the one at a position.

    Args:
        position: The chain's last position.
        previous: Its hash.
        happenings: What happened, in order.
    """
    for happening in happenings:
        event = Event(
            sequence=position,  # until its link says
            subject=happening.subject,
            type=happening.type,
            at=happening.at,
            by=happening.by,
            details=happening.details,
        )
        position += 1
        link = make_link(previous, position, event)
        previous = link.hash
        yield link


def event_of(link: Link) -> Event:
    """The event that a link tells of.

    Raises:
        IntegrityError: It is no event.
    """
    return decode(Event, link.layout, link.body).model_copy(update={"sequence": link.position, "hash": link.hash})
