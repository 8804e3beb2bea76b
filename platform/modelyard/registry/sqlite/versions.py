"""Versions: claims, completion, retirement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import decode_version, encode
from modelyard.registry.metadata import KeyRecord, Stale
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import ModelVersion, VersionState
from modelyard.registry.sqlite.database import expect
from modelyard.registry.sqlite.runs import expect_run
from modelyard.registry.sqlite.tables import BEYOND, START, Tables, micros, write_dependencies, write_events

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import Page, Run


class VersionTables(Tables):
    """The access patterns of versions."""

    def version(self, model: str, number: int) -> ModelVersion | None:
        query = "SELECT layout, body FROM version WHERE model = ? AND number = ?"
        return self._version(query, model, number)

    def versions(self, model: str, *, page: str | None, limit: int) -> Page[ModelVersion]:
        query = """SELECT number, layout, body FROM version
            WHERE model = ? AND number < ? AND state <> 'PENDING' ORDER BY number DESC LIMIT ?"""
        with self._database.reading() as connection:
            rows = connection.execute(query, (model, read_token(page, BEYOND), limit + 1)).fetchall()
        return make_page([decode_version(*row[1:]) for row in rows], limit, [row[0] for row in rows])

    def latest_version(self, model: str) -> ModelVersion | None:
        query = """SELECT layout, body FROM model_head JOIN version ON version.model = model_head.model
            AND version.number = model_head.latest WHERE model_head.model = ?"""
        return self._version(query, model)

    def version_for_request(self, model: str, request: str) -> ModelVersion | None:
        query = """SELECT layout, body FROM version
            WHERE model = ? AND request = ? AND state IN ('READY', 'ARCHIVED') ORDER BY number DESC LIMIT 1"""
        return self._version(query, model, request)

    def _version(self, query: str, *values: object) -> ModelVersion | None:
        with self._database.reading() as connection:
            row = connection.execute(query, values).fetchone()
        return None if row is None else decode_version(*row)

    def claim_key(self, model: str, key: str) -> KeyRecord | None:
        query = "SELECT fingerprint, number FROM claim_key WHERE model = ? AND key = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (model, key)).fetchone()
        return None if row is None else KeyRecord(key, row[0], str(row[1]))

    def add_claim(self, model: str, key: str, fingerprint: str, make: Callable[[int], ModelVersion]) -> ModelVersion:
        # Not waited for: nobody but its creator knows of a claim. One that is lost with the power is claimed again with
        # the same key, and `register_version` sees where its number went to somebody else meanwhile.
        with self._database.writing(durable=False) as connection:
            version = make(_next_number(connection, model))
            connection.execute(
                "INSERT INTO claim_key (model, key, fingerprint, number) VALUES (?, ?, ?, ?)",
                (model, key, fingerprint, version.number),
            )
            connection.execute(
                """INSERT INTO version (model, number, state, request, since, layout, body)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (model, version.number, version.state, version.request, micros(version.created_at), *encode(version)),
            )
        return version

    def complete_version(self, version: ModelVersion, *, run: Run | None, happenings: Sequence[Happening]) -> None:
        with self._database.writing() as connection:
            if run is not None:
                expect_run(connection, run)
            make_ready(connection, version, VersionState.PENDING)
            pinned = [f"feature_set:{pin.name}" for pin in version.pins.feature_sets]
            write_dependencies(connection, f"model:{version.model}", pinned)
            write_events(connection, happenings)

    def retire_version(
        self, version: ModelVersion, *, expected: VersionState, promotions: int, happenings: Sequence[Happening]
    ) -> None:
        with self._database.writing() as connection:
            head = connection.execute("SELECT promotions FROM model_head WHERE model = ?", (version.model,)).fetchone()
            if head != (promotions,):
                msg = f"what is live of `{version.model}` has changed meanwhile"
                raise Stale(msg)
            _change_state(connection, version, expected)
            connection.execute(
                """UPDATE model_head SET latest = (
                    SELECT number FROM version WHERE model = model_head.model AND state = 'READY'
                    ORDER BY number DESC LIMIT 1
                ) WHERE model = ? AND latest = ?""",
                (version.model, version.number),
            )
            write_events(connection, happenings)

    def approve_version(
        self, version: ModelVersion, *, expected: VersionState, happenings: Sequence[Happening]
    ) -> None:
        unapproved = version.model_copy(update={"approved_at": None})
        with self._database.writing() as connection:
            _change_state(connection, version, expected, read_as=unapproved)
            write_events(connection, happenings)

    def drop_claim(self, version: ModelVersion) -> None:
        with self._database.writing() as connection:
            cursor = connection.execute(
                "DELETE FROM version WHERE model = ? AND number = ? AND state = 'PENDING'",
                (version.model, version.number),
            )
            expect(cursor, f"version {version.number} of `{version.model}` is not PENDING any more")
            connection.execute("DELETE FROM claim_key WHERE model = ? AND key = ?", (version.model, version.key))

    def pending_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        return self._aged(VersionState.PENDING, before, page, limit)

    def archived_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        return self._aged(VersionState.ARCHIVED, before, page, limit)

    def _aged(self, state: VersionState, before: datetime, page: str | None, limit: int) -> Page[ModelVersion]:
        query = """SELECT since, rowid, layout, body FROM version
            WHERE state = ? AND state IN ('PENDING', 'ARCHIVED') AND since < ? AND (since, rowid) > (?, ?)
            ORDER BY since, rowid LIMIT ?"""
        return self._aged_page(ModelVersion, limit, query, state, micros(before), *read_token(page, START))


def _next_number(connection: sqlite3.Connection, model: str) -> int:
    row = connection.execute(
        "UPDATE model_head SET counter = counter + 1 WHERE model = ? AND archived = 0 RETURNING counter", (model,)
    ).fetchone()
    if row is None:
        msg = f"`{model}` is archived"
        raise Stale(msg)
    number: int = row[0]
    return number


def make_ready(connection: sqlite3.Connection, version: ModelVersion, expected: VersionState) -> None:
    """Write a version that is READY from now on, and let the model's latest know."""
    _change_state(connection, version, expected)
    connection.execute(
        "UPDATE model_head SET latest = max(coalesce(latest, 0), ?) WHERE model = ?", (version.number, version.model)
    )


def _change_state(
    connection: sqlite3.Connection, version: ModelVersion, expected: VersionState, read_as: ModelVersion | None = None
) -> None:
    """Write a version over the one that was read: in a state, and approved or not."""
    since = version.archived_at or version.created_at
    approved = (read_as or version).approved_at is not None
    cursor = connection.execute(
        """UPDATE version SET state = ?, since = ?, layout = ?, body = ?
        WHERE model = ? AND number = ? AND state = ? AND (json_extract(body, '$.approved_at') IS NOT NULL) = ?""",
        (version.state, micros(since), *encode(version), version.model, version.number, expected, approved),
    )
    expect(cursor, f"version {version.number} of `{version.model}` is not as it was read any more: {expected}")
