"""What a metadata store hands out as it lies there: links of chains, and entries on their way to another store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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
