"""What the subjects' modules share: records in and out of items, lists, dependencies, and events with every write."""

from __future__ import annotations

import heapq
import threading
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from modelyard.errors import Unavailable
from modelyard.registry.chains import Head, links_after
from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.writes import ABSENT, SK, If, Write, put
from modelyard.registry.layouts import decode, encode
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import Page, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.table import Table
    from modelyard.registry.dynamodb.writes import Item

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_MOST_USES = 40
"""Dependencies that are written within a transaction: it holds a hundred items, and forty others at most."""


class Tables:
    """Some records of the registry's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._turns = {keys.chain_name(number): threading.Lock() for number in range(keys.CHAINS)}

    # Lists -----------------------------------------------------------------------------------------------------

    def _keys_page(self, partition: str, page: str | None, limit: int) -> Page[str]:
        """A page of a partition's sort keys."""
        after = read_token(page, "")
        found = self._table.query(partition, low=after, chunk=limit + 2)
        names = [str(item[SK]) for item in islice((item for item in found if item[SK] != after), limit + 1)]
        return make_page(names, limit, names)

    def _merged(
        self, partitions: Sequence[str], page: str | None, limit: int, *, high: str = keys.END, newest: bool = False
    ) -> Page[Item]:
        """A page of a list that lies in several partitions, in the order of its sort keys."""
        end = read_token(page, "")
        low, high = ("", end or high) if newest else (end, high)
        found = [
            self._table.query(partition, low=low, high=high, newest=newest, chunk=limit + 2) for partition in partitions
        ]
        merged = heapq.merge(*found, key=lambda item: str(item[SK]), reverse=newest)
        items = list(islice((item for item in merged if item[SK] != end), limit + 1))
        return make_page(items, limit, [str(item[SK]) for item in items])

    def _looked_up(self, page: Page[T], fetch: Callable[[tuple[T, ...]], Sequence[R | None]]) -> Page[R]:
        """A page of the records that a page of places leads to; what has left the list meanwhile is left out."""
        records = tuple(record for record in fetch(page.items) if record is not None)
        return Page.model_construct(items=records, next=page.next)

    # Writing ---------------------------------------------------------------------------------------------------

    def _write(self, prepare: Callable[[], Sequence[Write]], happenings: Sequence[Happening] = ()) -> None:
        """Do writes, with the events that tell of them, in one transaction.

        Args:
            prepare: Makes the writes, as of what it reads.
            happenings: What they do.
        """
        with self._in_turn({happening.subject for happening in happenings}):
            self._table.transact(lambda: [*prepare(), *self._told(happenings)])

    @contextmanager
    def _in_turn(self, subjects: Collection[str]) -> Iterator[None]:
        """Let threads of this process write to a chain one after the other: at once, all but one would be in vain."""
        with ExitStack() as held:
            for chain in sorted({keys.chain_of(subject) for subject in subjects}):
                patience = self._table.deadline
                if not self._turns[chain].acquire(timeout=patience):
                    msg = f"table `{self._table.name}` is busy: other threads have been writing for {patience:g} s"
                    raise Unavailable(msg, "try again")
                held.callback(self._turns[chain].release)
            yield

    def _told(self, happenings: Sequence[Happening]) -> Iterator[Write]:
        """The writes that append events to their chains, each conditioned on the chain's end.

        So positions are contiguous, whoever writes: of two that append to one end, one is refused, and reads it anew.
        """
        chains: dict[str, list[Happening]] = {}
        for happening in happenings:
            chains.setdefault(keys.chain_of(happening.subject), []).append(happening)
        for head, of_chain in zip(self._heads(list(chains)), chains.values(), strict=True):
            position, end = head.position, head.hash
            for link in links_after(position, end, of_chain):
                place = keys.number_key(link.position)
                body: Item = {"subject": link.subject, "layout": link.layout, "body": link.body, "hash": link.hash}
                yield Write("Put", (keys.links(head.chain), place), body, own=(ABSENT,))
                yield put((keys.history(link.subject), place))
                position, end = link.position, link.hash
            same = If("position", "=", head.position) if head.position else ABSENT
            yield Write("Put", keys.chain_head(head.chain), {"position": position, "hash": end}, own=(same,))

    def _heads(self, chains: Sequence[str]) -> list[Head]:
        """The ends of chains."""
        found = self._table.get_many([keys.chain_head(chain) for chain in chains])
        return [
            Head(chain) if item is None else Head(chain, int(item["position"]), str(item["hash"]))
            for chain, item in zip(chains, found, strict=True)
        ]

    def _depend(self, dependent: str, subjects: Collection[str]) -> list[Write]:
        """The writes that remember that a subject depends on others.

        Where they are too many for the transaction, they are written before it: a process that dies in between leaves
        a dependency of something that was not written after all, which affects nothing but who is asked about a change.
        """
        places = [(keys.uses(subject), dependent) for subject in sorted(subjects)]
        if len(places) <= _MOST_USES:
            return [put(place) for place in places]
        self._table.put_many((place, {}) for place in places)
        return []


def stored(record: Record) -> Item:
    """A record's layout and body, as attributes."""
    layout, body = encode(record)
    return {"layout": layout, "body": body}


def record_of(kind: type[R], item: Item | None) -> R | None:
    """The record that an item holds."""
    return None if item is None else decode(kind, int(item["layout"]), str(item["body"]))
