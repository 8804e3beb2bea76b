"""Whether the audit log is what was recorded: every chain of events is walked, and each hash is worked out anew.

Who can write to the store can write a whole chain anew, of course, or cut off its end and its head. Against that helps
what lies elsewhere: the heads that an earlier verification found, a reader's cursor, a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData, ModelyardError
from modelyard.registry.chains import BEGINNING, event_of, link_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from modelyard.registry.chains import Head, Link
    from modelyard.registry.metadata import MetadataStore

_PAGE = 1000


@dataclass(frozen=True)
class Breach:
    """The first place of a chain that is not as it was recorded."""

    position: int
    problem: str
    """What is wrong there, in words."""
    subject: str = ""
    """What the event at the place is about, as far as it says so."""
    at: datetime | None = None
    """When it happened, as far as the event says so."""


@dataclass(frozen=True)
class ChainReport:
    """What walking a chain found."""

    chain: str
    events: int
    """How many events are as recorded, from the beginning on."""
    head: str
    """The hash that the chain's head tells of: kept elsewhere, it shows later whether the past was written anew."""
    breach: Breach | None


def verify(metadata: MetadataStore, known: Iterable[Head] = ()) -> Iterator[ChainReport]:
    """Walk every chain up to where its head stood when we began; what each is found to be.

    Args:
        metadata: The store.
        known: Where chains ended when they were verified before: their events have to be there still.

    Raises:
        InvalidData: The store has no such chain.
    """
    ends, chains = {head.chain: head for head in known}, metadata.chains()
    if strange := ends.keys() - {head.chain for head in chains}:
        msg = f"this registry has no chain {' and '.join(sorted(strange))}"
        raise InvalidData(
            msg, "compare it with what was said of this very registry: one that was moved has other chains"
        )
    for head in chains:
        report = _walk(metadata, head)
        lost = None if report.breach else _lost(metadata, head, ends.get(head.chain))
        yield replace(report, breach=lost) if lost else report


def _lost(metadata: MetadataStore, head: Head, known: Head | None) -> Breach | None:
    """What is missing, or another, of a chain that is whole in itself."""
    if known is None or not known.position:
        return None
    if known.position > head.position:
        return Breach(head.position + 1, f"the events from here to {known.position} were there before, and are missing")
    (link,) = metadata.links(head.chain, after=known.position - 1, limit=1)
    return None if link.hash == known.hash else Breach(link.position, "another event was here before", link.subject)


def _walk(metadata: MetadataStore, head: Head) -> ChainReport:
    position, previous = 0, BEGINNING
    while position < head.position:
        links = metadata.links(head.chain, after=position, limit=min(_PAGE, head.position - position))
        for link in links:
            if breach := _breach(link, position + 1, previous):
                return ChainReport(head.chain, position, head.hash, breach)
            position, previous = link.position, link.hash
        if not links:
            breach = Breach(position + 1, f"the events from here to {head.position} are missing")
            return ChainReport(head.chain, position, head.hash, breach)
    return ChainReport(head.chain, position, head.hash, _end(metadata, head, previous))


def _breach(link: Link, position: int, previous: str) -> Breach | None:
    subject, at, problem = link.subject, None, ""
    try:
        event = event_of(link)
        subject, at = event.subject, event.at
    except ModelyardError as error:
        problem = error.reason
    if link.position != position:
        return Breach(position, f"the event is missing; the next one is {link.position}", subject, at)
    if link_hash(previous, link.layout, link.body) != link.hash:
        return Breach(position, problem or "the event, or its hash, is not what was recorded", subject, at)
    if problem or link.subject != subject:
        return Breach(position, problem or f"the event is filed under `{link.subject}`", subject, at)
    return None


def _end(metadata: MetadataStore, head: Head, reached: str) -> Breach | None:
    if reached != head.hash:
        return Breach(head.position, "the chain's head tells of another event than the one at its place")
    if beyond := metadata.links(head.chain, after=head.position, limit=1):
        ends = {one.chain: one.position for one in metadata.chains()}
        if beyond[0].position > ends[head.chain]:  # else somebody has written just now
            return Breach(beyond[0].position, "the event stands behind the chain's head", beyond[0].subject)
    return None
