"""Promotion facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import decode, encode
from modelyard.registry.metadata import KeyRecord, Stale
from modelyard.registry.records import Promotion, VersionState
from modelyard.registry.sqlite.database import expect
from modelyard.registry.sqlite.tables import BEYOND, Tables, micros, write_events
from modelyard.registry.sqlite.versions import make_ready

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import ModelVersion


class PromotionTables(Tables):
    """The access patterns of what is live."""

    def promotions(self, model: str) -> tuple[Promotion, ...]:
        query = "SELECT layout, body FROM promotion WHERE model = ? ORDER BY sequence"
        with self._database.reading() as connection:
            rows = connection.execute(query, (model,)).fetchall()
        return tuple(decode(Promotion, *row) for row in rows)

    def effective_promotions(
        self, model: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> tuple[Promotion, ...]:
        query = """SELECT layout, body FROM promotion
            WHERE model = ? AND superseded = 0 AND live_from BETWEEN ? AND ? ORDER BY live_from DESC LIMIT ?"""
        first = -BEYOND if since is None else micros(since)
        last = BEYOND if until is None else micros(until)
        with self._database.reading() as connection:
            rows = connection.execute(query, (model, first, last, -1 if limit is None else limit)).fetchall()
        return tuple(decode(Promotion, *row) for row in rows)

    def promotion_key(self, model: str, key: str) -> KeyRecord | None:
        query = "SELECT key, fingerprint, answer FROM promotion_key WHERE model = ? AND key = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (model, key)).fetchone()
        return None if row is None else KeyRecord(*row)

    def add_promotion(
        self,
        fact: Promotion,
        *,
        supersedes: Sequence[int],
        revives: ModelVersion | None,
        key: KeyRecord | None,
        happenings: Sequence[Happening],
    ) -> None:
        with self._database.writing() as connection:
            write_fact(connection, fact, supersedes)
            if revives is None:
                _expect_ready(connection, fact)
            else:
                make_ready(connection, revives, VersionState.ARCHIVED)
            if key is not None:
                row = (fact.model, key.key, key.fingerprint, key.answer)
                connection.execute(
                    "INSERT INTO promotion_key (model, key, fingerprint, answer) VALUES (?, ?, ?, ?)", row
                )
            write_events(connection, happenings)


def write_fact(connection: sqlite3.Connection, fact: Promotion, supersedes: Sequence[int]) -> None:
    """Append a fact to a model's, if it follows the last one."""
    cursor = connection.execute(
        "UPDATE model_head SET promotions = ? WHERE model = ? AND promotions = ? AND archived = 0",
        (fact.sequence, fact.model, fact.sequence - 1),
    )
    expect(cursor, f"what is live of `{fact.model}` has changed meanwhile")
    connection.execute(
        "INSERT INTO promotion (model, sequence, live_from, layout, body) VALUES (?, ?, ?, ?, ?)",
        (fact.model, fact.sequence, micros(fact.live_from), *encode(fact)),
    )
    for sequence in supersedes:
        _supersede(connection, fact, sequence)


def _supersede(connection: sqlite3.Connection, by: Promotion, sequence: int) -> None:
    key = (by.model, sequence)
    row = connection.execute("SELECT layout, body FROM promotion WHERE model = ? AND sequence = ?", key).fetchone()
    fact = decode(Promotion, *row).model_copy(update={"superseded_by": by.sequence})
    connection.execute(
        "UPDATE promotion SET superseded = 1, layout = ?, body = ? WHERE model = ? AND sequence = ?",
        (*encode(fact), *key),
    )


def _expect_ready(connection: sqlite3.Connection, fact: Promotion) -> None:
    query = "SELECT state FROM version WHERE model = ? AND number = ?"
    if connection.execute(query, (fact.model, fact.version)).fetchone() != (VersionState.READY,):
        msg = f"version {fact.version} of `{fact.model}` is not READY any more"
        raise Stale(msg)
