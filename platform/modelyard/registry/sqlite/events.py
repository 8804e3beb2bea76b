"""Events: the history of a subject, and the change cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import decode
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import Event
from modelyard.registry.sqlite.tables import BEYOND, Tables

if TYPE_CHECKING:
    from modelyard.registry.records import Page


class EventTables(Tables):
    """The access patterns of history."""

    def history(self, subject: str, *, page: str | None, limit: int) -> Page[Event]:
        query = """SELECT sequence, layout, body FROM event
            WHERE subject = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?"""
        with self._database.reading() as connection:
            rows = connection.execute(query, (subject, read_token(page, BEYOND), limit + 1)).fetchall()
        return make_page([_event(*row) for row in rows], limit, [row[0] for row in rows])

    def changes(self, *, after: int, limit: int) -> tuple[Event, ...]:
        query = "SELECT sequence, layout, body FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?"
        with self._database.reading() as connection:
            rows = connection.execute(query, (after, limit)).fetchall()
        return tuple(_event(*row) for row in rows)


def _event(sequence: int, layout: int, body: str) -> Event:
    return decode(Event, layout, body).model_copy(update={"sequence": sequence})
