"""Versions: claims, completion, retirement."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables, stored
from modelyard.registry.dynamodb.heads import LIVING, ModelHead, head_key, read_head
from modelyard.registry.dynamodb.runs import unchanged
from modelyard.registry.dynamodb.writes import ABSENT, SK, If, Write, delete, put
from modelyard.registry.layouts import decode_version
from modelyard.registry.metadata import KeyRecord, Stale
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import ModelVersion, Page, VersionState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.table import Table
    from modelyard.registry.dynamodb.writes import Item
    from modelyard.registry.records import Run


class VersionTables(Tables):
    """The access patterns of versions."""

    def version(self, model: str, number: int) -> ModelVersion | None:
        return _version(self._table.get(version_key(model, number)))

    def versions(self, model: str, *, page: str | None, limit: int) -> Page[ModelVersion]:
        high = keys.number_key(read_token(page, keys.BEYOND) - 1)
        found = self._table.query(keys.versions(model), high=high, newest=True, chunk=limit + 1)
        seen = (item for item in found if item["state"] != VersionState.PENDING)
        records = [_record(item) for item in islice(seen, limit + 1)]
        return make_page(records, limit, [version.number for version in records])

    def latest_version(self, model: str) -> ModelVersion | None:
        head = read_head(self._table, model)
        while head is not None and head.latest:
            version = self.version(model, head.latest)
            if version is not None and version.state is VersionState.READY:
                return version
            head, before = read_head(self._table, model), head
            if head == before:  # it is not that it was archived in between
                return version
        return None

    def version_for_request(self, model: str, request: str) -> ModelVersion | None:
        for item in self._table.query(keys.made_for(model, request), newest=True, chunk=10):
            version = self.version(model, int(item[SK]))
            if version is not None and version.state is not VersionState.DELETED:
                return version
        return None

    def claim_key(self, model: str, key: str) -> KeyRecord | None:
        item = self._table.get(keys.claim_key(model, key))
        return None if item is None else KeyRecord(key, str(item["fingerprint"]), str(item["number"]))

    def add_claim(self, model: str, key: str, fingerprint: str, make: Callable[[int], ModelVersion]) -> ModelVersion:
        # A process that dies after the counter went up leaves a gap; one whose answer was lost takes two numbers.
        stale = f"`{model}` is archived"
        head = self._table.update(Write("Update", head_key(model), add={"counter": 1}, when=(LIVING,), stale=stale))
        version = make(int(head["counter"]))
        taken: Item = {"fingerprint": fingerprint, "number": version.number}
        used = f"key `{key}` is used already"
        writes = [
            Write("Put", keys.claim_key(model, key), taken, when=(ABSENT,), stale=used),
            put(version_key(model, version.number), _content(version)),
            put(_place(version)),
        ]
        self._write(lambda: writes)
        return version

    def complete_version(self, version: ModelVersion, *, run: Run | None, happenings: Sequence[Happening]) -> None:
        pinned = {f"feature_set:{pin.name}" for pin in version.pins.feature_sets}
        depend = self._depend(f"model:{version.model}", pinned)

        def prepare() -> list[Write]:
            head = read_head(self._table, version.model) or ModelHead(version.model)
            return [
                _moved(version, VersionState.PENDING),
                head.made_ready(version.number),
                put((keys.made_for(version.model, version.request), keys.number_key(version.number))),
                delete(_place(version, VersionState.PENDING)),
                *([] if run is None else [unchanged(run)]),
                *depend,
            ]

        self._write(prepare, happenings)

    def retire_version(
        self, version: ModelVersion, *, expected: VersionState, promotions: int, happenings: Sequence[Happening]
    ) -> None:
        last = If("promotions", "=", promotions)
        stale = f"what is live of `{version.model}` has changed meanwhile"
        head = Write("ConditionCheck", head_key(version.model), when=(last,), stale=stale)

        def archived() -> list[Write]:
            return [_moved(version, expected), put(_place(version)), self._without(version, head)]

        def deleted() -> list[Write]:
            request = (keys.made_for(version.model, version.request), keys.number_key(version.number))
            place = _place(version, VersionState.ARCHIVED)
            return [_moved(version, expected), head, delete(place), delete(request)]

        self._write(archived if version.state is VersionState.ARCHIVED else deleted, happenings)

    def _without(self, version: ModelVersion, check: Write) -> Write:
        """The change of the head that goes with a version that is READY no more."""
        head = read_head(self._table, version.model) or ModelHead(version.model)
        latest = head.latest
        if latest == version.number:
            lower = self._table.query(keys.versions(version.model), high=keys.number_key(latest - 1), newest=True)
            latest = next((int(item[SK]) for item in lower if item["state"] == VersionState.READY), 0)
        return head.latest_is(latest, check)

    def approve_version(
        self, version: ModelVersion, *, expected: VersionState, happenings: Sequence[Happening]
    ) -> None:
        writes = [_moved(version, expected, approved=False)]
        self._write(lambda: writes, happenings)

    def drop_claim(self, version: ModelVersion) -> None:
        writes = [
            replace(_moved(version, VersionState.PENDING), action="Delete", content={}),
            delete(keys.claim_key(version.model, version.key)),
            delete(_place(version, VersionState.PENDING)),
        ]
        self._write(lambda: writes)

    def pending_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        return self._aged(VersionState.PENDING, before, page, limit)

    def archived_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        return self._aged(VersionState.ARCHIVED, before, page, limit)

    def _aged(self, state: VersionState, before: datetime, page: str | None, limit: int) -> Page[ModelVersion]:
        partitions = [keys.aged_versions(state, shard) for shard in range(keys.LIST_SHARDS)]
        places = self._merged(partitions, page, limit, high=keys.instant_key(before))

        def fetch(items: tuple[Item, ...]) -> list[ModelVersion | None]:
            names = [str(item[SK]).split("#")[1:] for item in items]
            found = self._table.get_many([version_key(model, int(number)) for model, number in names])
            return [_version(item) if item is not None and item["state"] == state else None for item in found]

        return self._looked_up(places, fetch)


def loaded(version: ModelVersion) -> list[Write]:
    """The items of a version that comes from elsewhere."""
    writes = [put(version_key(version.model, version.number), _content(version))]
    if version.state in (VersionState.PENDING, VersionState.ARCHIVED):
        writes.append(put(_place(version)))
    if version.state in (VersionState.READY, VersionState.ARCHIVED):
        writes.append(put((keys.made_for(version.model, version.request), keys.number_key(version.number))))
    return writes


def version_key(model: str, number: int) -> keys.Key:
    """Where a version lies."""
    return (keys.versions(model), keys.number_key(number))


def revived(table: Table, version: ModelVersion) -> list[Write]:
    """The writes that make an ARCHIVED version READY again, but for the model's head.

    Raises:
        Stale: It is not ARCHIVED any more.
    """
    moved = _moved(version, VersionState.ARCHIVED)
    archived = _version(table.get(moved.key))
    if archived is None or archived.state is not VersionState.ARCHIVED:
        raise Stale(moved.stale)
    return [moved, delete(_place(archived))]


def _moved(version: ModelVersion, expected: VersionState, *, approved: bool | None = None) -> Write:
    """A version in its new state, if it was in the expected one, and approved or not as it is now (unless said)."""
    was = version.approved_at is not None if approved is None else approved
    same = (If("state", "=", expected.value), If("approved", "=", was))
    stale = f"version {version.number} of `{version.model}` is not as it was read any more: {expected}"
    return Write("Update", version_key(version.model, version.number), _content(version), when=same, stale=stale)


def _content(version: ModelVersion) -> Item:
    return {"state": version.state.value, "approved": version.approved_at is not None, **stored(version)}


def _place(version: ModelVersion, state: VersionState | None = None) -> keys.Key:
    """A version's place among those of a state, by age; its own state's unless said."""
    state = state or version.state
    since = version.created_at if state is VersionState.PENDING else version.archived_at or version.created_at
    return keys.aged_version(state, since, version.model, version.number)


def _version(item: Item | None) -> ModelVersion | None:
    return None if item is None else _record(item)


def _record(item: Item) -> ModelVersion:
    return decode_version(int(item["layout"]), str(item["body"]))
