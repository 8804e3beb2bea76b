"""Events: the history of a subject, the change cursor, and the one chain that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.chains import BEGINNING, Head, Link, event_of
from modelyard.registry.cursors import lost, mark_at, read_cursor, write_cursor
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import ChangePage
from modelyard.registry.sqlite.tables import BEYOND, Tables

if TYPE_CHECKING:
    from modelyard.registry.records import Event, Page

_CHAIN = "events"
_LINK = "SELECT position, subject, layout, body, hash FROM link"


class EventTables(Tables):
    """The access patterns of history."""

    def history(self, subject: str, *, page: str | None, limit: int) -> Page[Event]:
        query = f"{_LINK} WHERE subject = ? AND position < ? ORDER BY position DESC LIMIT ?"
        found = self._links(query, subject, read_token(page, BEYOND), limit + 1)
        return make_page([event_of(link) for link in found], limit, [link.position for link in found])

    def changes(self, *, after: str | None, limit: int) -> ChangePage:
        (mark,) = read_cursor(after, 1)
        # The event that was read last is read again, to see that it is still the same one.
        found = self._links(f"{_LINK} WHERE position >= ? ORDER BY position LIMIT ?", mark.position, limit + 1)
        if mark.position:
            if not found or found[0].position != mark.position or not mark.fits(found[0].hash):
                raise lost()
            found = found[1:]
        found = found[:limit]
        end = mark_at(found[-1].position, found[-1].hash) if found else mark
        return ChangePage.model_construct(items=tuple(event_of(link) for link in found), next=write_cursor([end]))

    def chains(self) -> tuple[Head, ...]:
        with self._database.reading() as connection:
            position, end = connection.execute("SELECT position, hash FROM chain").fetchone() or (0, BEGINNING)
        return (Head(_CHAIN, position, end),)

    def links(self, chain: str, *, after: int, limit: int) -> tuple[Link, ...]:
        if chain != _CHAIN:
            return ()
        return tuple(self._links(f"{_LINK} WHERE position > ? ORDER BY position LIMIT ?", after, limit))

    def _links(self, query: str, *values: object) -> list[Link]:
        with self._database.reading() as connection:
            return [Link(*row) for row in connection.execute(query, values)]
