"""What a benchmark says: rows of one table, ours beside the peer that a user would pick instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("work", "ours", "peer", "ratio", "target")


@dataclass(frozen=True)
class Row:
    """One piece of work, measured in one run."""

    name: str
    """The work."""
    ours: str
    """Our figure, with its unit."""
    peer: str
    """The peer's figure for the same work, with its unit and the peer's name."""
    ratio: float | None
    """Ours to the peer's; None where there is no peer."""
    target: str
    """What is asked for, such as `≤ 1.3 ×` or `< 10 s`."""


def print_rows(rows: Iterable[Row]) -> None:
    """Print each row as soon as it is measured."""
    print("  ".join(COLUMNS))
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
        print("  ".join((row.name, row.ours, row.peer, ratio, row.target)), flush=True)
