"""Everything out of the tables, and into empty ones."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from modelyard.errors import Conflict
from modelyard.registry.entries import entry, events_of, happening_of, read_record
from modelyard.registry.layouts import encode
from modelyard.registry.records import FeatureSetVersion, ModelRecord, ModelVersion, Promotion, Run, RunProgress
from modelyard.registry.sqlite.events import EventTables
from modelyard.registry.sqlite.runs import insert_run
from modelyard.registry.sqlite.tables import micros, write_events

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

    from modelyard.registry.entries import Entry

_QUERIES = {
    "model": "SELECT layout, body FROM model ORDER BY name",
    "model_head": "SELECT model, counter, coalesce(latest, 0), promotions, archived FROM model_head ORDER BY model",
    "version": "SELECT layout, body FROM version ORDER BY model, number",
    "claim_key": "SELECT model, key, fingerprint, number FROM claim_key ORDER BY model, key",
    "promotion": "SELECT layout, body FROM promotion ORDER BY model, sequence",
    "promotion_key": "SELECT model, key, fingerprint, answer FROM promotion_key ORDER BY model, key",
    "feature_set": "SELECT name, counter, current FROM feature_set ORDER BY name",
    "feature_set_version": "SELECT layout, body FROM feature_set_version ORDER BY name, number",
    "run": "SELECT layout, body FROM run ORDER BY position",
    "run_progress": "SELECT layout, body FROM run_progress ORDER BY run",
    "dependency": "SELECT subject, dependent FROM dependency ORDER BY subject, dependent",
}
_ANYTHING = """SELECT 1 FROM model UNION ALL SELECT 1 FROM feature_set
    UNION ALL SELECT 1 FROM run UNION ALL SELECT 1 FROM link LIMIT 1"""
_EVENTS_AT_ONCE = 1000


class EntryTables(EventTables):
    """The access patterns of a whole registry."""

    def entries(self) -> Iterator[Entry]:
        before = self.chains()
        with self._database.reading() as connection:
            for kind, query in _QUERIES.items():
                yield from (entry(kind, *row) for row in connection.execute(query))
        yield from events_of(self)
        if self.chains() != before:
            msg = f"somebody wrote to the registry in `{self._database.path.parent}` while it was read"
            raise Conflict(msg, "stop what uses it, then export it again")

    def load(self, entries: Iterable[Entry], *, mark: str) -> None:  # noqa: ARG002 - one transaction: there is no half
        with self._database.writing() as connection:
            if connection.execute(_ANYTHING).fetchone():
                msg = f"the registry in `{self._database.path.parent}` is not empty"
                raise Conflict(msg, "import into a new one")
            for kind, some in groupby(entries, key=lambda one: one.kind):
                _LOADERS[kind](connection, some)


def _load_models(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    for one in entries:
        record = read_record(ModelRecord, one)
        row = (record.name, record.revision, *encode(record))
        connection.execute("INSERT INTO model (name, revision, layout, body) VALUES (?, ?, ?, ?)", row)


def _load_versions(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    statement = """INSERT INTO version (model, number, state, request, since, layout, body)
        VALUES (?, ?, ?, ?, ?, ?, ?)"""
    for one in entries:
        version = read_record(ModelVersion, one)
        since = micros(version.archived_at or version.created_at)
        row = (version.model, version.number, version.state, version.request, since, *encode(version))
        connection.execute(statement, row)


def _load_promotions(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    statement = """INSERT INTO promotion (model, sequence, live_from, superseded, layout, body)
        VALUES (?, ?, ?, ?, ?, ?)"""
    for one in entries:
        fact = read_record(Promotion, one)
        superseded = fact.superseded_by is not None
        row = (fact.model, fact.sequence, micros(fact.live_from), superseded, *encode(fact))
        connection.execute(statement, row)


def _load_feature_set_versions(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    statement = "INSERT INTO feature_set_version (name, number, digest, layout, body) VALUES (?, ?, ?, ?, ?)"
    for one in entries:
        version = read_record(FeatureSetVersion, one)
        connection.execute(statement, (version.name, version.number, version.digest, *encode(version)))


def _load_runs(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    for one in entries:
        insert_run(connection, read_record(Run, one))


def _load_progress(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    for one in entries:
        progress = read_record(RunProgress, one)
        row = (progress.run, *encode(progress))
        connection.execute("INSERT INTO run_progress (run, layout, body) VALUES (?, ?, ?)", row)


def _load_events(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    waiting = []
    for one in entries:
        waiting.append(happening_of(one))
        if len(waiting) == _EVENTS_AT_ONCE:
            write_events(connection, waiting)
            waiting.clear()
    write_events(connection, waiting)


def _rows(statement: str) -> Callable[[sqlite3.Connection, Iterable[Entry]], None]:
    """Loads entries that are rows as they are."""
    return lambda connection, entries: connection.executemany(statement, (one.content for one in entries)).close()


def _load_heads(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    statement = "INSERT INTO model_head (model, counter, latest, promotions, archived) VALUES (?, ?, ?, ?, ?)"
    for one in entries:
        row = (one.text("model"), one.number("counter"), one.number("latest") or None)
        connection.execute(statement, (*row, one.number("promotions"), one.number("archived")))


_LOADERS: dict[str, Callable[[sqlite3.Connection, Iterable[Entry]], None]] = {
    "model": _load_models,
    "model_head": _load_heads,
    "version": _load_versions,
    "claim_key": _rows("INSERT INTO claim_key VALUES (:model, :key, :fingerprint, :number)"),
    "promotion": _load_promotions,
    "promotion_key": _rows("INSERT INTO promotion_key VALUES (:model, :key, :fingerprint, :answer)"),
    "feature_set": _rows("INSERT INTO feature_set VALUES (:name, :counter, :current)"),
    "feature_set_version": _load_feature_set_versions,
    "run": _load_runs,
    "run_progress": _load_progress,
    "dependency": _rows("INSERT INTO dependency VALUES (:subject, :dependent)"),
    "event": _load_events,
}
