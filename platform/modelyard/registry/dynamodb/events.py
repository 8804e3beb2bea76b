"""Events: the history of a subject, the change cursor over all chains, and the chains themselves."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING

from modelyard.registry.chains import Head, Link, event_of
from modelyard.registry.cursors import lost, mark_at, read_cursor, write_cursor
from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables
from modelyard.registry.dynamodb.writes import SK
from modelyard.registry.pages import MOST, make_page, read_token
from modelyard.registry.records import ChangePage, Event, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.cursors import Mark
    from modelyard.registry.dynamodb.writes import Item

_CHAINS = tuple(keys.chain_name(number) for number in range(keys.CHAINS))


class EventTables(Tables):
    """The access patterns of history."""

    def history(self, subject: str, *, page: str | None, limit: int) -> Page[Event]:
        before = read_token(page, keys.BEYOND)
        high = keys.number_key(before - 1)
        found = self._table.query(keys.history(subject), high=high, newest=True, chunk=limit + 1)
        places = [str(item[SK]) for item in islice(found, limit + 1)]
        listed = make_page(places, limit, [int(place) for place in places])
        partition = keys.links(keys.chain_of(subject))
        items = self._table.get_many([(partition, place) for place in listed.items])
        return Page.model_construct(items=tuple(event_of(_link(item)) for item in items if item), next=listed.next)

    def changes(self, *, after: str | None, limit: int) -> ChangePage:
        marks = read_cursor(after, len(_CHAINS))
        news: list[list[Event]] = []
        room = limit
        for place, (mark, head) in enumerate(zip(marks, self._heads(_CHAINS), strict=True)):
            if not room:
                break
            # Chain by chain until the page is full, and not a page of each to be merged: a reader of everything would
            # read all of it sixteen times.
            found = list(islice(self._news(mark, head), room))
            if found:
                marks[place] = mark_at(found[-1].position, found[-1].hash)
                news.append([event_of(link) for link in found])
                room -= len(found)
        events = tuple(heapq.merge(*news, key=lambda event: event.at))
        return ChangePage.model_construct(items=events, next=write_cursor(marks))

    def _news(self, mark: Mark, head: Head) -> Iterator[Link]:
        """The events of a chain after a mark, as far as they follow each other.

        A transaction's items may come into sight one by one. What is behind a gap is told when the gap is filled, so
        that a reader misses nothing.
        """
        if mark.position >= head.position:
            if not mark.fits(head.hash) or mark.position > head.position:
                raise lost()
            return
        found = self._table.query(
            keys.links(head.chain),
            low=keys.number_key(mark.position or 1),
            chunk=min(head.position - mark.position + 1, MOST),
        )
        links = map(_link, found)
        if mark.position:
            read_last = next(links, None)  # read again, to see that it is still the same one
            if read_last is None or read_last.position != mark.position or not mark.fits(read_last.hash):
                raise lost()
        for position, link in enumerate(links, start=mark.position + 1):
            if link.position != position:
                return
            yield link

    def chains(self) -> tuple[Head, ...]:
        return tuple(self._heads(_CHAINS))

    def links(self, chain: str, *, after: int, limit: int) -> tuple[Link, ...]:
        found = self._table.query(keys.links(chain), low=keys.number_key(after + 1), chunk=limit)
        return tuple(_link(item) for item in islice(found, limit))


def _link(item: Item) -> Link:
    return Link(int(item[SK]), str(item["subject"]), int(item["layout"]), str(item["body"]), str(item["hash"]))
