"""Runs, and how far they have come."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables, record_of, stored
from modelyard.registry.dynamodb.heads import LIVING, head_key
from modelyard.registry.dynamodb.writes import ABSENT, PRESENT, SK, If, Write, delete, put
from modelyard.registry.metadata import Stale
from modelyard.registry.records import Page, Run, RunProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.writes import Item

_ALL, _OPEN, _FINISHED = "runs", "open", "finished"


class _Expected(TypedDict):
    when: tuple[If, ...]
    stale: str


class RunTables(Tables):
    """The access patterns of runs."""

    def run(self, run_id: str) -> Run | None:
        return record_of(Run, self._table.get(keys.run(run_id)))

    def runs(self, *, page: str | None, limit: int) -> Page[Run]:
        return self._looked_up(self._merged(_partitions(_ALL), page, limit, newest=True), self._runs)

    def model_runs(self, model: str, *, page: str | None, limit: int) -> Page[Run]:
        return self._looked_up(self._merged([keys.model_runs(model)], page, limit, newest=True), self._runs)

    def open_runs(self, *, page: str | None, limit: int) -> Page[Run]:
        found = self._looked_up(self._merged(_partitions(_OPEN), page, limit), self._runs)
        still = tuple(run for run in found.items if run.finished_at is None)  # its place was read before it was
        return Page.model_construct(items=still, next=found.next)

    def finished_runs(self, before: datetime, *, page: str | None, limit: int) -> Page[Run]:
        high = keys.instant_key(before)
        return self._looked_up(self._merged(_partitions(_FINISHED), page, limit, high=high), self._runs)

    def _runs(self, places: tuple[Item, ...]) -> list[Run | None]:
        found = self._table.get_many([keys.run(str(place[SK]).rpartition("#")[2]) for place in places])
        return [record_of(Run, item) for item in found]

    def add_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        living = Write("ConditionCheck", head_key(run.model), when=(LIVING,), stale=f"`{run.model}` is archived")
        writes = [living, *new_run(run)]
        self._write(lambda: writes, happenings)

    def replace_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        changed = Write("Update", keys.run(run.id), _content(run), **_at(run, run.sequence - 1))

        def prepare() -> list[Write]:
            known = None if run.finished_at is None else self._table.get(changed.key)
            if known is None or known["finished"]:
                return [changed]
            return [changed, delete(keys.run_place(_OPEN, run.id, str(known["position"]))), put(_finished_place(run))]

        self._write(prepare, happenings)

    def put_run_progress(self, progress: RunProgress) -> None:
        place = keys.run_progress(progress.run)
        with suppress(Stale):  # there is no such run
            self._table.update(Write("Update", place, stored(progress), when=(PRESENT,), stale="it is gone"))

    def run_progress(self, run_id: str) -> RunProgress | None:
        item = self._table.get(keys.run_progress(run_id))
        return record_of(RunProgress, item) if item is not None and "body" in item else None

    def drop_run(self, run: Run) -> None:
        key = keys.run(run.id)

        def prepare() -> list[Write]:
            known = self._table.get(key)
            position = "" if known is None else str(known["position"])
            ended = run.finished_at is not None
            places = (
                keys.run_progress(run.id),
                keys.run_place(_ALL, run.id, position),
                (keys.model_runs(run.model), position),
                _finished_place(run) if ended else keys.run_place(_OPEN, run.id, position),
            )
            return [Write("Delete", key, **_at(run, run.sequence)), *map(delete, places if known else ())]

        self._write(prepare)


def new_run(run: Run, *, at: datetime | None = None) -> list[Write]:
    """The writes of a run that is not there yet.

    Args:
        run: The run.
        at: Where it stands in lists: by when this machine writes it, and not by when its creator says that it
            was made, unless it comes from elsewhere.
    """
    position = f"{keys.instant_key(at or datetime.now(UTC))}#{run.id}"
    places = [keys.run_place(_ALL, run.id, position), (keys.model_runs(run.model), position)]
    places.append(keys.run_place(_OPEN, run.id, position) if run.finished_at is None else _finished_place(run))
    content: Item = {"position": position, **_content(run)}
    there = Write("Put", keys.run(run.id), content, when=(ABSENT,), stale=f"run `{run.id}` is there already")
    return [there, put(keys.run_progress(run.id)), *map(put, places)]


def unchanged(run: Run) -> Write:
    """The check that a run is still as it was read."""
    return Write("ConditionCheck", keys.run(run.id), **_at(run, run.sequence))


def _content(run: Run) -> Item:
    return {"sequence": run.sequence, "finished": run.finished_at is not None, **stored(run)}


def _finished_place(run: Run) -> keys.Key:
    return keys.run_place(_FINISHED, run.id, f"{keys.instant_key(run.finished_at or run.created_at)}#{run.id}")


def _at(run: Run, sequence: int) -> _Expected:
    """The condition that a run is at a sequence."""
    return {"when": (If("sequence", "=", sequence),), "stale": f"run `{run.id}` was changed meanwhile"}


def _partitions(kind: str) -> list[str]:
    return [keys.run_shard(kind, shard) for shard in range(keys.LIST_SHARDS)]
