"""What the tables' modules share: the database at hand, and records in and out of rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from modelyard.registry.chains import links_after
from modelyard.registry.layouts import decode
from modelyard.registry.pages import make_page
from modelyard.registry.records import Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import Page
    from modelyard.registry.sqlite.database import Database

R = TypeVar("R", bound=Record)

BEYOND = 2**63 - 1
"""A key after every other, where a list begins with the newest."""

START = (-BEYOND, 0)
"""An (instant, row) before every other, where a list begins with the oldest."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tables:
    """Some tables of the registry's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _one(self, kind: type[R], query: str, *values: object) -> R | None:
        """The record of a query that finds one row of (layout, body), or none."""
        with self._database.reading() as connection:
            row = connection.execute(query, values).fetchone()
        return None if row is None else decode(kind, *row)

    def _page(self, kind: type[R], limit: int, query: str, *values: object) -> Page[R]:
        """The records of a query for (key, layout, body); its last parameter is one record more than `limit`."""
        with self._database.reading() as connection:
            rows = connection.execute(query, (*values, limit + 1)).fetchall()
        return make_page([decode(kind, *row[1:]) for row in rows], limit, [row[0] for row in rows])

    def _aged_page(self, kind: type[R], limit: int, query: str, *values: object) -> Page[R]:
        """The records of a query for (instant, row, layout, body); its last parameter is one more than `limit`."""
        with self._database.reading() as connection:
            rows = connection.execute(query, (*values, limit + 1)).fetchall()
        return make_page([decode(kind, *row[2:]) for row in rows], limit, [(row[0], row[1]) for row in rows])


def micros(instant: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def write_events(connection: sqlite3.Connection, happenings: Collection[Happening]) -> None:
    """Append events to the chain; writers take turns, so positions go up in the order in which transactions end."""
    if not happenings:
        return
    position, previous = connection.execute("SELECT position, hash FROM chain").fetchone()
    for link in links_after(position, previous, happenings):
        position, previous = link.position, link.hash
        connection.execute(
            "INSERT INTO link (position, subject, layout, body, hash) VALUES (?, ?, ?, ?, ?)",
            (link.position, link.subject, link.layout, link.body, link.hash),
        )
    connection.execute("UPDATE chain SET position = ?, hash = ?", (position, previous))


def write_dependencies(connection: sqlite3.Connection, dependent: str, subjects: Collection[str]) -> None:
    """Remember that a subject depends on others."""
    rows: Sequence[tuple[str, str]] = [(subject, dependent) for subject in subjects]
    connection.executemany("INSERT OR IGNORE INTO dependency (subject, dependent) VALUES (?, ?)", rows)
