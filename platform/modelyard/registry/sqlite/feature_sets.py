"""Feature sets and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.layouts import decode, encode
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import read_token
from modelyard.registry.records import FeatureSetVersion
from modelyard.registry.sqlite.database import expect
from modelyard.registry.sqlite.tables import Tables, write_dependencies, write_events

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import Page

_CURRENT = """FROM feature_set JOIN feature_set_version AS version
    ON version.name = feature_set.name AND version.number = feature_set.current"""


class FeatureSetTables(Tables):
    """The access patterns of feature sets."""

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion | None:
        if number is None:
            return self._one(FeatureSetVersion, f"SELECT layout, body {_CURRENT} WHERE feature_set.name = ?", name)
        query = "SELECT layout, body FROM feature_set_version WHERE name = ? AND number = ?"
        return self._one(FeatureSetVersion, query, name, number)

    def feature_set_for_digest(self, name: str, digest: str) -> FeatureSetVersion | None:
        query = "SELECT layout, body FROM feature_set_version WHERE name = ? AND digest = ?"
        return self._one(FeatureSetVersion, query, name, digest)

    def feature_sets(self, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        query = f"""SELECT feature_set.name, layout, body {_CURRENT}
            WHERE feature_set.name > ? ORDER BY feature_set.name LIMIT ?"""
        return self._page(FeatureSetVersion, limit, query, read_token(page, ""))

    def feature_set_versions(self, name: str, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        query = """SELECT number, layout, body FROM feature_set_version
            WHERE name = ? AND number > ? ORDER BY number LIMIT ?"""
        return self._page(FeatureSetVersion, limit, query, name, read_token(page, 0))

    def add_feature_set(
        self,
        name: str,
        digest: str,
        make: Callable[[int], FeatureSetVersion],
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        tell: Callable[[FeatureSetVersion], Happening],
    ) -> FeatureSetVersion:
        with self._database.writing() as connection:
            _expect_last(connection, name, expected)
            counter = connection.execute(
                """INSERT INTO feature_set (name, counter, current) VALUES (?, 1, 1)
                ON CONFLICT (name) DO UPDATE SET counter = counter + 1, current = counter + 1 RETURNING counter""",
                (name,),
            ).fetchone()[0]
            version = make(counter)
            connection.execute(
                "INSERT INTO feature_set_version (name, number, digest, layout, body) VALUES (?, ?, ?, ?, ?)",
                (name, version.number, digest, *encode(version)),
            )
            write_dependencies(connection, f"feature_set:{name}", uses)
            write_events(connection, [tell(version)])
        return version

    def put_feature_set(
        self,
        version: FeatureSetVersion,
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        with self._database.writing() as connection:
            _expect_last(connection, version.name, expected)
            cursor = connection.execute(
                "UPDATE feature_set_version SET layout = ?, body = ? WHERE name = ? AND number = ?",
                (*encode(version), version.name, version.number),
            )
            expect(cursor, f"version {version.number} of feature set `{version.name}` is gone")
            current = (version.number, version.name)
            connection.execute("UPDATE feature_set SET current = ? WHERE name = ?", current)
            write_dependencies(connection, f"feature_set:{version.name}", uses)
            write_events(connection, happenings)


def _expect_last(connection: sqlite3.Connection, name: str, expected: FeatureSetVersion | None) -> None:
    query = f"SELECT layout, body {_CURRENT} WHERE feature_set.name = ?"
    row = connection.execute(query, (name,)).fetchone()
    if (None if row is None else decode(FeatureSetVersion, *row)) != expected:
        msg = f"feature set `{name}` was changed meanwhile"
        raise Stale(msg)
