"""What is live when: pure rules over promotion facts.

A fact says that from `live_from` on a version is live. Facts are kept in the order in which they were recorded, and a
fact that is superseded before it began never counts. So among the facts that count, later sequences begin later, and
the one with the greatest `live_from` up to an instant says what is live at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Conflict, InvalidData
from modelyard.registry.records import PromotionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from modelyard.registry.records import Promotion


def effective(facts: Iterable[Promotion]) -> list[Promotion]:
    """The facts that count, in the order in which they begin."""
    return [fact for fact in facts if fact.superseded_by is None]


def live_at(facts: Iterable[Promotion], at: datetime) -> Promotion | None:
    """The fact that says what is live at an instant; None before the first.

    Args:
        facts: A model's facts that count, in any order.
        at: The instant.
    """
    begun = [fact for fact in facts if fact.live_from <= at]
    return max(begun, key=lambda fact: fact.live_from, default=None)


def previous_version(begun: Iterable[Promotion]) -> int | None:
    """The version that was live before the current one; the last one, where nothing is live.

    Args:
        begun: The facts that count and have begun, the newest first.
    """
    facts = iter(begun)
    current = next(facts, None)
    if current is None:
        return None
    return next((fact.version for fact in facts if fact.version not in (None, current.version)), None)


def superseded(kind: PromotionKind, live_from: datetime, planned: Sequence[Promotion]) -> list[int]:
    """The sequences of the facts that a new one keeps from taking effect.

    Args:
        kind: What the new fact is. A rollback or an archive undoes what was planned; a promotion only what would
            begin at the same instant.
        live_from: When the new fact begins.
        planned: The facts that count and begin at `live_from` or later.

    Raises:
        Conflict: The new fact is a promotion, and a later start is planned already.
    """
    later = [fact for fact in planned if fact.live_from > live_from]
    if kind is PromotionKind.PROMOTE and later:
        fact = later[0]
        msg = f"version {fact.version} of `{fact.model}` is planned to be live from {fact.live_from.isoformat()} on"
        raise Conflict(msg, "promote from that instant on or later, or roll back, which undoes what is planned")
    return [fact.sequence for fact in planned]


def check_start(live_from: datetime, now: datetime) -> datetime:
    """An instant at which a fact may begin.

    Raises:
        InvalidData: It is past.
    """
    if live_from < now:
        msg = f"`live_from` {live_from.isoformat()} is past: it is {now.isoformat(timespec='seconds')}"
        raise InvalidData(msg, "what was live stays as it was; leave `live_from` out for the next midnight")
    return live_from
