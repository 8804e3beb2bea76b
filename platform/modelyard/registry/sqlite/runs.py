"""Runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import encode
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import read_token
from modelyard.registry.records import Run, RunProgress
from modelyard.registry.sqlite.database import expect
from modelyard.registry.sqlite.tables import BEYOND, START, Tables, micros, write_events

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import Page


class RunTables(Tables):
    """The access patterns of runs."""

    def run(self, run_id: str) -> Run | None:
        return self._one(Run, "SELECT layout, body FROM run WHERE id = ?", run_id)

    def runs(self, *, page: str | None, limit: int) -> Page[Run]:
        query = "SELECT position, layout, body FROM run WHERE position < ? ORDER BY position DESC LIMIT ?"
        return self._page(Run, limit, query, read_token(page, BEYOND))

    def model_runs(self, model: str, *, page: str | None, limit: int) -> Page[Run]:
        query = """SELECT position, layout, body FROM run
            WHERE model = ? AND position < ? ORDER BY position DESC LIMIT ?"""
        return self._page(Run, limit, query, model, read_token(page, BEYOND))

    def open_runs(self, *, page: str | None, limit: int) -> Page[Run]:
        query = """SELECT position, layout, body FROM run
            WHERE finished IS NULL AND position > ? ORDER BY position LIMIT ?"""
        return self._page(Run, limit, query, read_token(page, 0))

    def finished_runs(self, before: datetime, *, page: str | None, limit: int) -> Page[Run]:
        query = """SELECT finished, position, layout, body FROM run
            WHERE finished < ? AND (finished, position) > (?, ?) ORDER BY finished, position LIMIT ?"""
        return self._aged_page(Run, limit, query, micros(before), *read_token(page, START))

    def add_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        with self._database.writing() as connection:
            head = connection.execute("SELECT archived FROM model_head WHERE model = ?", (run.model,)).fetchone()
            if head != (0,):
                msg = f"`{run.model}` is archived"
                raise Stale(msg)
            insert_run(connection, run)
            write_events(connection, happenings)

    def replace_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE run SET sequence = ?, finished = ?, layout = ?, body = ? WHERE id = ? AND sequence = ?",
                (run.sequence, _finished(run), *encode(run), run.id, run.sequence - 1),
            )
            expect(cursor, f"run `{run.id}` was changed meanwhile")
            write_events(connection, happenings)

    def put_run_progress(self, progress: RunProgress) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO run_progress (run, layout, body) SELECT id, ?, ? FROM run WHERE id = ?",
                (*encode(progress), progress.run),
            )

    def run_progress(self, run_id: str) -> RunProgress | None:
        return self._one(RunProgress, "SELECT layout, body FROM run_progress WHERE run = ?", run_id)

    def drop_run(self, run: Run) -> None:
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM run WHERE id = ? AND sequence = ?", (run.id, run.sequence))
            expect(cursor, f"run `{run.id}` was changed meanwhile")
            connection.execute("DELETE FROM run_progress WHERE run = ?", (run.id,))


def insert_run(connection: sqlite3.Connection, run: Run) -> None:
    """Write a run that is not there yet."""
    connection.execute(
        "INSERT INTO run (id, model, sequence, finished, layout, body) VALUES (?, ?, ?, ?, ?, ?)",
        (run.id, run.model, run.sequence, _finished(run), *encode(run)),
    )


def expect_run(connection: sqlite3.Connection, run: Run) -> None:
    """Make sure that a run is still as it was read.

    Raises:
        Stale: It was changed, or swept.
    """
    row = connection.execute("SELECT sequence FROM run WHERE id = ?", (run.id,)).fetchone()
    if row != (run.sequence,):
        msg = f"run `{run.id}` was changed meanwhile"
        raise Stale(msg)


def _finished(run: Run) -> int | None:
    return None if run.finished_at is None else micros(run.finished_at)
