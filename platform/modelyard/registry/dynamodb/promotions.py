"""Promotion facts."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from modelyard.errors import Conflict
from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables, record_of, stored
from modelyard.registry.dynamodb.heads import ModelHead, read_head, with_fact
from modelyard.registry.dynamodb.versions import revived, version_key
from modelyard.registry.dynamodb.writes import ABSENT, If, Write, delete, put
from modelyard.registry.metadata import KeyRecord, Stale
from modelyard.registry.pages import MOST
from modelyard.registry.records import Promotion, VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.table import Table
    from modelyard.registry.dynamodb.writes import Item
    from modelyard.registry.records import ModelVersion

_MOST_PLANNED = 40
"""Facts that one fact supersedes: a transaction holds a hundred items, and each of them takes two."""


class PromotionTables(Tables):
    """The access patterns of what is live."""

    def promotions(self, model: str) -> tuple[Promotion, ...]:
        return _facts(self._table.query(keys.facts(model), chunk=MOST))

    def effective_promotions(
        self, model: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> tuple[Promotion, ...]:
        low = keys.START if since is None else keys.instant_key(since)
        high = keys.END if until is None else keys.instant_key(until)
        found = self._table.query(keys.starts(model), low=low, high=high, newest=True, chunk=limit or MOST)
        return _facts(islice(found, limit))

    def promotion_key(self, model: str, key: str) -> KeyRecord | None:
        item = self._table.get(keys.promotion_key(model, key))
        return None if item is None else KeyRecord(key, str(item["fingerprint"]), str(item["answer"]))

    def add_promotion(
        self,
        fact: Promotion,
        *,
        supersedes: Sequence[int],
        revives: ModelVersion | None,
        key: KeyRecord | None,
        happenings: Sequence[Happening],
    ) -> None:
        def prepare() -> list[Write]:
            writes = fact_writes(self._table, fact, supersedes)
            if revives is None:
                writes += [with_fact(fact), _still_ready(fact)]
            else:
                head = read_head(self._table, fact.model) or ModelHead(fact.model)
                writes += [head.made_ready(revives.number, with_fact(fact)), *revived(self._table, revives)]
            if key is not None:
                content: Item = {"fingerprint": key.fingerprint, "answer": key.answer}
                place = keys.promotion_key(fact.model, key.key)
                writes.append(Write("Put", place, content, when=(ABSENT,), stale=f"key `{key.key}` is used already"))
            return writes

        self._write(prepare, happenings)


def loaded(fact: Promotion) -> list[Write]:
    """The items of a fact that comes from elsewhere."""
    place = put((keys.facts(fact.model), keys.number_key(fact.sequence)), stored(fact))
    return [place] if fact.superseded_by is not None else [place, put(_start(fact), stored(fact))]


def fact_writes(table: Table, fact: Promotion, supersedes: Sequence[int]) -> list[Write]:
    """The writes of a fact, and of those that it keeps from taking effect.

    Raises:
        Conflict: It supersedes more than one transaction can hold.
        Stale: It supersedes one that was recorded after the model was read: the two would have one place.
    """
    if any(sequence >= fact.sequence for sequence in supersedes):
        raise Stale(with_fact(fact).stale)
    if len(supersedes) > _MOST_PLANNED:
        msg = f"{len(supersedes)} promotions of `{fact.model}` are planned, and {_MOST_PLANNED} can be undone at once"
        raise Conflict(msg, "let some of them begin first")
    place = (keys.facts(fact.model), keys.number_key(fact.sequence))
    writes = [put(place, stored(fact)), put(_start(fact), stored(fact))]
    # The head's condition says that no fact was recorded since these were read.
    for item in table.get_many([(keys.facts(fact.model), keys.number_key(sequence)) for sequence in supersedes]):
        undone = record_of(Promotion, item)
        if undone is not None:
            revised = undone.model_copy(update={"superseded_by": fact.sequence})
            writes += [
                put((keys.facts(fact.model), keys.number_key(undone.sequence)), stored(revised)),
                delete(_start(undone)),
            ]
    kept = {write.key for write in writes if write.action == "Put"}
    return [write for write in writes if write.action == "Put" or write.key not in kept]


def _start(fact: Promotion) -> keys.Key:
    return (keys.starts(fact.model), keys.instant_key(fact.live_from))


def _still_ready(fact: Promotion) -> Write:
    ready = If("state", "=", VersionState.READY.value)
    stale = f"version {fact.version} of `{fact.model}` is not READY any more"
    return Write("ConditionCheck", version_key(fact.model, fact.version or 0), when=(ready,), stale=stale)


def _facts(items: Iterable[Item]) -> tuple[Promotion, ...]:
    return tuple(fact for item in items if (fact := record_of(Promotion, item)) is not None)
