"""The change cursor's tokens: how far a reader has come in each of a store's chains.

A token holds, for each chain, a position and the beginning of the hash there. So it says more than "after the 41st":
a store that was restored from a backup holds another event at that place, or none, and tells so instead of going on.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import CursorLost, InvalidData
from modelyard.registry.chains import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = 16
"""Of a hash that a token holds: 64 bits; it is for telling a restored store, not for proving anything."""

_LONGEST = 4096
_GREATEST = 2**63 - 1


@dataclass(frozen=True)
class Mark:
    """How far a reader has come in one chain."""

    position: int = 0
    digits: str = BEGINNING
    """The beginning of the hash at the position."""

    def fits(self, found: str) -> bool:
        """Whether the store's hash at the position is the one that the reader saw."""
        return found[:DIGITS] == self.digits


def mark_at(position: int, found: str) -> Mark:
    """The mark of a reader who has come to a position with a hash."""
    return Mark(position, found[:DIGITS])


def write_cursor(marks: Sequence[Mark]) -> str:
    """The token of a reader who has come so far in each chain."""
    content = json.dumps([[mark.position, mark.digits] for mark in marks], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_cursor(token: str | None, chains: int) -> list[Mark]:
    """How far the reader has come in each chain.

    Args:
        token: The token; None for the beginning.
        chains: How many chains the store has.

    Raises:
        InvalidData: It is no token of a change cursor.
        CursorLost: It is one of another store.
    """
    if token is None:
        return [Mark()] * chains
    marks = _decode(token)
    if marks is None:
        msg = "`after` is no token of the change cursor"
        raise InvalidData(msg, "take `next` of the page before, or leave it out to begin at the beginning")
    if len(marks) != chains:
        raise lost()
    return marks


def lost() -> CursorLost:
    """What a reader is told whose events are not there (any more)."""
    msg = "the changes that were read last are not in this registry: it was restored, or moved"
    return CursorLost(msg, "read everything anew, and follow the changes from the beginning")


def _decode(token: str) -> list[Mark] | None:
    if len(token) > _LONGEST:
        return None
    try:
        content = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(content, list) or not content:
        return None
    marks = [_mark(part) for part in content]
    return None if None in marks else [mark for mark in marks if mark is not None]


def _mark(part: object) -> Mark | None:
    match part:
        case [int(position), str(digits)] if 0 <= position <= _GREATEST and not isinstance(position, bool):
            return Mark(position, digits) if (position == 0) == (digits == BEGINNING) else None
        case _:
            return None
