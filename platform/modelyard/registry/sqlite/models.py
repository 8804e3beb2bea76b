"""Models, and who depends on whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import decode, encode
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import ModelRecord
from modelyard.registry.sqlite.database import expect
from modelyard.registry.sqlite.promotions import write_fact
from modelyard.registry.sqlite.runs import insert_run
from modelyard.registry.sqlite.tables import Tables, write_dependencies, write_events

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import Page, Promotion, Run

_MODELS = """
    SELECT name, layout, body, latest, promotions FROM model JOIN model_head ON model_head.model = model.name
"""


class ModelTables(Tables):
    """The access patterns of models."""

    def model(self, name: str) -> ModelRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(f"{_MODELS} WHERE name = ?", (name,)).fetchone()
        return None if row is None else _model(*row[1:])

    def models(self, *, page: str | None, limit: int) -> Page[ModelRecord]:
        with self._database.reading() as connection:
            query = f"{_MODELS} WHERE name > ? ORDER BY name LIMIT ?"
            rows = connection.execute(query, (read_token(page, ""), limit + 1)).fetchall()
        return make_page([_model(*row[1:]) for row in rows], limit, [row[0] for row in rows])

    def put_model(
        self,
        record: ModelRecord,
        *,
        expected_revision: int,
        run: Run | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        with self._database.writing() as connection:
            _write_model(connection, record, expected_revision)
            if run is not None:
                insert_run(connection, run)
            write_dependencies(connection, f"model:{record.name}", uses)
            write_events(connection, happenings)

    def archive_model(
        self, record: ModelRecord, fact: Promotion, *, supersedes: Sequence[int], happenings: Sequence[Happening]
    ) -> None:
        with self._database.writing() as connection:
            write_fact(connection, fact, supersedes)
            _write_model(connection, record, record.revision - 1)
            write_events(connection, happenings)

    def dependents(self, subject: str, *, page: str | None, limit: int) -> Page[str]:
        query = "SELECT dependent FROM dependency WHERE subject = ? AND dependent > ? ORDER BY dependent LIMIT ?"
        with self._database.reading() as connection:
            rows = connection.execute(query, (subject, read_token(page, ""), limit + 1)).fetchall()
        names = [row[0] for row in rows]
        return make_page(names, limit, names)


def _model(layout: int, body: str, latest: int | None, promotions: int) -> ModelRecord:
    return decode(ModelRecord, layout, body).model_copy(update={"latest": latest, "promotions": promotions})


def _write_model(connection: sqlite3.Connection, record: ModelRecord, expected_revision: int) -> None:
    if expected_revision == 0:
        row = (record.name, record.revision, *encode(record))
        connection.execute("INSERT INTO model (name, revision, layout, body) VALUES (?, ?, ?, ?)", row)
        connection.execute("INSERT INTO model_head (model) VALUES (?)", (record.name,))
        return
    cursor = connection.execute(
        "UPDATE model SET revision = ?, layout = ?, body = ? WHERE name = ? AND revision = ?",
        (record.revision, *encode(record), record.name, expected_revision),
    )
    expect(cursor, f"`{record.name}` is not at revision {expected_revision} any more")
    cursor = connection.execute(
        "UPDATE model_head SET archived = ? WHERE model = ?", (record.archived_at is not None, record.name)
    )
    expect(cursor, f"`{record.name}` is gone")
