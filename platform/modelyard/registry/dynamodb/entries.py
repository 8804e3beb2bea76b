"""Everything out of the table, and into an empty one.

A table is filled item by item, so one that is half filled says so, and is no registry until it is whole. Every item's
key hangs on the entries alone: the same import again goes on where the last one died.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - module-level tables name it
from datetime import UTC, datetime, timedelta
from itertools import chain, count, groupby, islice
from typing import TYPE_CHECKING

from modelyard.errors import Conflict
from modelyard.registry.chains import BEGINNING, links_after
from modelyard.registry.dynamodb import feature_sets, keys, models, promotions, runs, versions
from modelyard.registry.dynamodb.base import stored
from modelyard.registry.dynamodb.events import EventTables
from modelyard.registry.dynamodb.heads import BLANK, head_key
from modelyard.registry.dynamodb.writes import PK, SK, Write, put
from modelyard.registry.entries import entry, events_of, happening_of, read_record
from modelyard.registry.records import FeatureSetVersion, ModelRecord, ModelVersion, Promotion, Run, RunProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelyard.registry.dynamodb.writes import Item
    from modelyard.registry.entries import Entry

_AT_ONCE = 1000  # writes that are gathered, so that none is sent twice in one request
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Runs that were imported stand in lists from here on, a microsecond apart: before every run that is queued later."""


class EntryTables(EventTables):
    """The access patterns of a whole registry."""

    def entries(self) -> Iterator[Entry]:
        before = self.chains()
        placed: list[tuple[str, Entry]] = []
        progress: list[Entry] = []
        for item in self._table.scan():
            found = _entry(str(item[PK]), str(item[SK]), item)
            if found is None:
                continue
            if found.kind == "run":
                placed.append((str(item["position"]), found))
            elif found.kind == "run_progress":
                progress.append(found)
            else:
                yield found
        yield from (one for _, one in sorted(placed, key=lambda pair: pair[0]))
        yield from progress
        yield from events_of(self)
        if self.chains() != before:
            msg = f"somebody wrote to table `{self._table.name}` while it was read"
            raise Conflict(msg, "stop the services that use it, then export it again")

    def load(self, entries: Iterable[Entry], *, mark: str) -> None:
        self._table.begin_import(mark, self._is_empty)
        writes = chain.from_iterable(_writes(kind, some) for kind, some in groupby(entries, key=lambda one: one.kind))
        while some := list(islice(writes, _AT_ONCE)):
            self._table.put_many({write.key: write.content for write in some}.items())
        self._table.end_import()

    def _is_empty(self) -> bool:
        lists = (keys.MODELS, keys.FEATURE_SETS)
        return not any(head.position for head in self.chains()) and not any(
            next(iter(self._table.query(partition, chunk=1)), None) for partition in lists
        )


_RECORDS = {
    ("model", keys.RECORD): "model",
    ("versions", ""): "version",
    ("facts", ""): "promotion",
    ("feature_set_versions", ""): "feature_set_version",
    ("run", keys.RECORD): "run",
    ("run", "progress"): "run_progress",
}
"""For each kind of partition, and each place in it unless all are the same, the kind of record that lies there."""

_POINTERS: dict[tuple[str, str], Callable[[str, str, Item], Entry]] = {
    ("model", keys.HEAD): lambda name, _, item: entry(
        "model_head", name, item["counter"], item["latest"], item["promotions"], item["archived"]
    ),
    ("feature_set", keys.HEAD): lambda name, _, item: entry("feature_set", name, item["counter"], item["current"]),
    ("claim_key", ""): lambda name, key, item: entry("claim_key", name, key, item["fingerprint"], item["number"]),
    ("promotion_key", ""): lambda name, key, item: entry(
        "promotion_key", name, key, item["fingerprint"], item["answer"]
    ),
    ("uses", ""): lambda name, dependent, _: entry("dependency", name, dependent),
}


def _entry(partition: str, place: str, item: Item) -> Entry | None:
    """The entry that an item is; None where it is one that a store works out by itself."""
    kind, _, name = partition.partition("#")
    record = _RECORDS.get((kind, place)) or _RECORDS.get((kind, ""))
    if record is not None:
        return entry(record, item["layout"], item["body"]) if "body" in item else None
    pointer = _POINTERS.get((kind, place)) or _POINTERS.get((kind, ""))
    return None if pointer is None else pointer(name, place, item)


def _writes(kind: str, entries: Iterable[Entry]) -> Iterator[Write]:
    """The items of entries of a kind, with those that lists are made of."""
    if kind == "run":
        for number, one in zip(count(), entries, strict=False):
            run = read_record(Run, one)
            yield from runs.new_run(run, at=_LONG_AGO + timedelta(microseconds=number))
    elif kind == "event":
        yield from _events(entries)
    else:
        make = _ITEMS[kind]
        for one in entries:
            yield from make(one)


def _events(entries: Iterable[Entry]) -> Iterator[Write]:
    """The links of every chain, and then their heads: what stands behind a head is not seen."""
    heads: dict[str, tuple[int, str]] = {}
    for one in entries:
        told = happening_of(one)
        name = keys.chain_of(told.subject)
        (link,) = links_after(*heads.get(name, (0, BEGINNING)), [told])
        heads[name] = (link.position, link.hash)
        place = keys.number_key(link.position)
        body: Item = {"subject": link.subject, "layout": link.layout, "body": link.body, "hash": link.hash}
        yield put((keys.links(name), place), body)
        yield put((keys.history(link.subject), place))
    for name, (position, end) in heads.items():
        yield put(keys.chain_head(name), {"position": position, "hash": end})


def _head(one: Entry) -> list[Write]:
    pointers: Item = {name: one.number(name) for name in ("counter", "latest", "promotions")}
    return [put(head_key(one.text("model")), {**BLANK, **pointers, "archived": bool(one.number("archived"))})]


def _claim_key(one: Entry) -> list[Write]:
    content: Item = {"fingerprint": one.text("fingerprint"), "number": one.number("number")}
    return [put(keys.claim_key(one.text("model"), one.text("key")), content)]


def _promotion_key(one: Entry) -> list[Write]:
    content: Item = {"fingerprint": one.text("fingerprint"), "answer": one.text("answer")}
    return [put(keys.promotion_key(one.text("model"), one.text("key")), content)]


def _progress(one: Entry) -> list[Write]:
    progress = read_record(RunProgress, one)
    return [put(keys.run_progress(progress.run), stored(progress))]


_ITEMS: dict[str, Callable[[Entry], list[Write]]] = {
    "model": lambda one: models.loaded(read_record(ModelRecord, one)),
    "model_head": _head,
    "version": lambda one: versions.loaded(read_record(ModelVersion, one)),
    "claim_key": _claim_key,
    "promotion": lambda one: promotions.loaded(read_record(Promotion, one)),
    "promotion_key": _promotion_key,
    "feature_set": lambda one: feature_sets.loaded_head(one.text("name"), one.number("counter"), one.number("current")),
    "feature_set_version": lambda one: feature_sets.loaded(read_record(FeatureSetVersion, one)),
    "run_progress": _progress,
    "dependency": lambda one: [put((keys.uses(one.text("subject")), one.text("dependent")))],
}
