"""What a benchmark found: a ratio beside its target. Every benchmark's `run()` returns such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Row:
    """One measured thing."""

    work: str
    """What was done."""
    ours: str
    """What it took Modelyard, with its unit."""
    peer: str
    """What it took the peer, with its name and unit."""
    ratio: float
    """Ours as a multiple of the peer's."""
    target: float
    """The ratio that is to be kept."""
    more_is_better: bool = False
    """Whether the ratio must be at least the target; at most unless said."""

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.ratio >= self.target if self.more_is_better else self.ratio <= self.target


def print_rows(rows: Iterable[Row]) -> None:
    """Print measured things as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for column in ("work", "ours", "peer", "ratio", "target", ""):
        table.add_column(column, justify="right" if column in ("ratio", "target") else "left")
    for row in rows:
        sign = ">=" if row.more_is_better else "<="
        verdict = "met" if row.met else "MISSED"
        table.add_row(row.work, row.ours, row.peer, f"{row.ratio:.2f}", f"{sign} {row.target:g}", verdict)
    Console(width=160).print(table)
