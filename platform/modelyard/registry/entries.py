"""What a metadata store holds, as entries that every store understands: for moving a registry from one to another.

What a store can work out by itself (lists, indexes, hashes) is no entry. `KINDS` says what each entry carries; one more
kind of record is one more line there, and one in each store's `entries` module.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from modelyard.errors import IntegrityError
from modelyard.registry.chains import Happening, event_of
from modelyard.registry.layouts import decode
from modelyard.registry.records import Event, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.registry.chains import Head, Link

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Entry:
    """One thing that a store holds, as every store understands it."""

    kind: str
    content: Mapping[str, str | int]

    def text(self, name: str) -> str:
        """A text of it."""
        return str(self.content[name])

    def number(self, name: str) -> int:
        """A number of it."""
        return int(self.content[name])


KINDS: Mapping[str, Mapping[str, type]] = {
    "model": {"layout": int, "body": str},
    "model_head": {"model": str, "counter": int, "latest": int, "promotions": int, "archived": int},
    "version": {"layout": int, "body": str},
    "claim_key": {"model": str, "key": str, "fingerprint": str, "number": int},
    "promotion": {"layout": int, "body": str},
    "promotion_key": {"model": str, "key": str, "fingerprint": str, "answer": str},
    "feature_set": {"name": str, "counter": int, "current": int},
    "feature_set_version": {"layout": int, "body": str},
    "run": {"layout": int, "body": str},
    "run_progress": {"layout": int, "body": str},
    "dependency": {"subject": str, "dependent": str},
    "event": {"layout": int, "body": str},
}
"""For each kind of entry, what it carries. `latest` is 0 where there is none. Runs come in the order in which they were
queued, before their progress; events last, in the order of each chain."""


def entry(kind: str, *values: object) -> Entry:
    """An entry of a kind, from its values in the order of `KINDS`."""
    content = {name: carries(value) for (name, carries), value in zip(KINDS[kind].items(), values, strict=True)}
    return Entry(kind, content)


def read_entry(content: object) -> Entry:
    """An entry, as it was written: its content with its kind.

    Raises:
        IntegrityError: It is none.
    """
    if isinstance(content, dict):
        kind, values = content.get("kind"), {name: value for name, value in content.items() if name != "kind"}
        carries = KINDS.get(str(kind), {})
        if carries and values.keys() == carries.keys() and all(type(values[name]) is carries[name] for name in carries):
            return Entry(str(kind), values)
    msg = f"{str(content)[:200]!r} is no entry of a registry"
    raise IntegrityError(msg, "export the registry again, with the version of Modelyard that reads it")


def read_record(kind: type[R], one: Entry) -> R:
    """The record that an entry holds."""
    return decode(kind, one.number("layout"), one.text("body"))


class Chained(Protocol):
    """What has chains of events: a metadata store, or the part of one that keeps them."""

    def chains(self) -> tuple[Head, ...]:
        """See `MetadataStore`."""

    def links(self, chain: str, *, after: int, limit: int) -> tuple[Link, ...]:
        """See `MetadataStore`."""


def events_of(log: Chained, limit: int = 1000) -> Iterator[Entry]:
    """Every event as an entry: each chain in its order, chains merged by time.

    Args:
        log: What has the events.
        limit: How many are read at a time.
    """

    def links(chain: str, end: int) -> Iterator[Link]:
        position = 0
        while position < end and (found := log.links(chain, after=position, limit=min(limit, end - position))):
            yield from found
            position = found[-1].position

    chains = [links(head.chain, head.position) for head in log.chains()]
    for link in heapq.merge(*chains, key=lambda link: event_of(link).at):
        yield entry("event", link.layout, link.body)


def happening_of(event: Entry) -> Happening:
    """An event as something that happened, before a store gives it its place."""
    told = read_record(Event, event)
    return Happening(subject=told.subject, type=told.type, at=told.at, by=told.by, details=told.details)
