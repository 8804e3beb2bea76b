"""The tables, as the migrations that made them. A change is one more entry at the end; entries never change.

A step is a statement, or a function where SQL alone can't do it.

The hot row of a model (its counter and pointers) lies apart from its definition, so that a claim rewrites a hundred
bytes and not the definition. Instants in columns are microseconds since 1970, so that they sort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.chains import BEGINNING, make_link
from modelyard.registry.layouts import decode
from modelyard.registry.records import Event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Step = str | Callable[[sqlite3.Connection], object]

APPLICATION_ID = 0x4D594152  # "MYAR" in the file's header: what `file` and we know our databases by


def _chain_events(connection: sqlite3.Connection) -> None:
    """Give the events that are there their hashes, in the order in which they were written."""
    position, previous = 0, BEGINNING
    rows = connection.execute("SELECT layout, body FROM event ORDER BY sequence").fetchall()
    for layout, body in rows:
        position += 1
        link = make_link(previous, position, decode(Event, layout, body))
        connection.execute(
            "INSERT INTO link (position, subject, layout, body, hash) VALUES (?, ?, ?, ?, ?)",
            (link.position, link.subject, link.layout, link.body, link.hash),
        )
        previous = link.hash
    connection.execute("INSERT INTO chain (position, hash) VALUES (?, ?)", (position, previous))


MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    (
        """CREATE TABLE model (
            name TEXT PRIMARY KEY, revision INTEGER NOT NULL, layout INTEGER NOT NULL, body TEXT NOT NULL
        )""",
        """CREATE TABLE model_head (
            model TEXT PRIMARY KEY, counter INTEGER NOT NULL DEFAULT 0, latest INTEGER,
            promotions INTEGER NOT NULL DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
        """CREATE TABLE version (
            model TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, request TEXT NOT NULL,
            since INTEGER NOT NULL, layout INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (model, number)
        )""",
        "CREATE INDEX version_by_request ON version (model, request, number)",
        "CREATE INDEX version_by_age ON version (state, since) WHERE state IN ('PENDING', 'ARCHIVED')",
        """CREATE TABLE claim_key (
            model TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, number INTEGER NOT NULL,
            PRIMARY KEY (model, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE promotion (
            model TEXT NOT NULL, sequence INTEGER NOT NULL, live_from INTEGER NOT NULL,
            superseded INTEGER NOT NULL DEFAULT 0, layout INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (model, sequence)
        )""",
        "CREATE INDEX promotion_by_start ON promotion (model, live_from) WHERE superseded = 0",
        """CREATE TABLE promotion_key (
            model TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, answer TEXT NOT NULL,
            PRIMARY KEY (model, key)
        ) WITHOUT ROWID""",
        "CREATE TABLE feature_set (name TEXT PRIMARY KEY, counter INTEGER NOT NULL, current INTEGER NOT NULL)",
        """CREATE TABLE feature_set_version (
            name TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, layout INTEGER NOT NULL,
            body TEXT NOT NULL, PRIMARY KEY (name, number), UNIQUE (name, digest)
        )""",
        """CREATE TABLE run (
            position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL,
            sequence INTEGER NOT NULL, finished INTEGER, layout INTEGER NOT NULL, body TEXT NOT NULL
        )""",
        "CREATE INDEX run_by_model ON run (model, position)",
        "CREATE INDEX run_open ON run (position) WHERE finished IS NULL",
        "CREATE INDEX run_finished ON run (finished, position) WHERE finished IS NOT NULL",
        """CREATE TABLE event (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, layout INTEGER NOT NULL,
            body TEXT NOT NULL
        )""",
        "CREATE INDEX event_by_subject ON event (subject, sequence)",
        """CREATE TABLE dependency (
            subject TEXT NOT NULL, dependent TEXT NOT NULL, PRIMARY KEY (subject, dependent)
        ) WITHOUT ROWID""",
    ),
    ("CREATE TABLE run_progress (run TEXT PRIMARY KEY, layout INTEGER NOT NULL, body TEXT NOT NULL)",),
    (
        """CREATE TABLE link (
            position INTEGER PRIMARY KEY, subject TEXT NOT NULL, layout INTEGER NOT NULL, body TEXT NOT NULL,
            hash TEXT NOT NULL
        )""",
        "CREATE INDEX link_by_subject ON link (subject, position)",
        "CREATE TABLE chain (position INTEGER NOT NULL, hash TEXT NOT NULL)",
        _chain_events,
        "DROP TABLE event",
    ),
)
"""For each schema version, the steps that lead to it from the one before."""
