"""Models, and who depends on whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables, record_of, stored
from modelyard.registry.dynamodb.heads import BLANK, head_key, with_fact
from modelyard.registry.dynamodb.promotions import fact_writes
from modelyard.registry.dynamodb.runs import new_run
from modelyard.registry.dynamodb.writes import ABSENT, If, Write, put
from modelyard.registry.records import ModelRecord, Page

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.writes import Item
    from modelyard.registry.records import Promotion, Run


class ModelTables(Tables):
    """The access patterns of models."""

    def model(self, name: str) -> ModelRecord | None:
        return self._models((name,))[0]

    def models(self, *, page: str | None, limit: int) -> Page[ModelRecord]:
        return self._looked_up(self._keys_page(keys.MODELS, page, limit), self._models)

    def _models(self, names: tuple[str, ...]) -> list[ModelRecord | None]:
        found = self._table.get_many([place for name in names for place in (_record_key(name), head_key(name))])
        return [_model(*pair) for pair in zip(found[::2], found[1::2], strict=True)]

    def put_model(
        self,
        record: ModelRecord,
        *,
        expected_revision: int,
        run: Run | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        writes = [*self._depend(f"model:{record.name}", uses), _revised(record, expected_revision)]
        if expected_revision == 0:
            writes += [put(head_key(record.name), BLANK), put((keys.MODELS, record.name))]
        else:
            writes.append(Write("Update", head_key(record.name), {"archived": record.archived_at is not None}))
        if run is not None:
            writes += new_run(run)
        self._write(lambda: writes, happenings)

    def archive_model(
        self, record: ModelRecord, fact: Promotion, *, supersedes: Sequence[int], happenings: Sequence[Happening]
    ) -> None:
        def prepare() -> list[Write]:
            facts = fact_writes(self._table, fact, supersedes)
            return [_revised(record, record.revision - 1), with_fact(fact, {"archived": True}), *facts]

        self._write(prepare, happenings)

    def dependents(self, subject: str, *, page: str | None, limit: int) -> Page[str]:
        return self._keys_page(keys.uses(subject), page, limit)


def loaded(record: ModelRecord) -> list[Write]:
    """The items of a model that comes from elsewhere, but for its head."""
    content = {"revision": record.revision, **stored(record)}
    return [put(_record_key(record.name), content), put((keys.MODELS, record.name))]


def _record_key(name: str) -> keys.Key:
    return (keys.model(name), keys.RECORD)


def _revised(record: ModelRecord, expected_revision: int) -> Write:
    key, content = _record_key(record.name), {"revision": record.revision, **stored(record)}
    stale = f"`{record.name}` is not at revision {expected_revision} any more"
    if expected_revision == 0:
        return Write("Put", key, content, when=(ABSENT,), stale=stale)
    return Write("Update", key, content, when=(If("revision", "=", expected_revision),), stale=stale)


def _model(record: Item | None, head: Item | None) -> ModelRecord | None:
    model = record_of(ModelRecord, record)
    if model is None or head is None:
        return None
    return model.model_copy(update={"latest": head["latest"] or None, "promotions": head["promotions"]})
