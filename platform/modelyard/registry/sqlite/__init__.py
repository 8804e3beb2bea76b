"""The metadata store in a SQLite file: for one machine, any number of processes.

`schema.py` holds the tables, `database.py` connections and transactions, and one module for each subject its access
patterns, documented in `modelyard.registry.metadata`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from modelyard.errors import UsageError
from modelyard.registry.sqlite.database import BUSY_TIMEOUT, Database
from modelyard.registry.sqlite.entries import EntryTables
from modelyard.registry.sqlite.feature_sets import FeatureSetTables
from modelyard.registry.sqlite.models import ModelTables
from modelyard.registry.sqlite.promotions import PromotionTables
from modelyard.registry.sqlite.runs import RunTables
from modelyard.registry.sqlite.versions import VersionTables

if TYPE_CHECKING:
    from pathlib import Path

_PAGES = 4096  # copied at a time, between which writers get their turn


class SqliteMetadata(ModelTables, VersionTables, PromotionTables, FeatureSetTables, RunTables, EntryTables):
    """The registry's records in a SQLite file.

    Args:
        path: The file; made, with its folder, when it is first used. It must lie on a disk of this machine.
        busy_timeout: Seconds that a call waits for other writers before it raises `Unavailable`.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        super().__init__(Database(path, busy_timeout=busy_timeout))

    def ping(self) -> None:
        with self._database.reading() as connection:
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM model_head LIMIT 1)").fetchone()

    def require(self) -> None:
        if not self._database.path.is_file():
            msg = f"there is no registry in `{self._database.path.parent}`"
            raise UsageError(msg, f"name the folder that holds {self._database.path.name}")

    def check(self) -> list[str]:
        """What is wrong with the file itself; nothing, where it is sound."""
        with self._database.reading() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def copy_to(self, path: Path) -> None:
        """Write a copy of the file as it is at one moment, while others go on writing.

        Args:
            path: The new file. A process that dies in between leaves part of it.
        """
        with self._database.reading() as connection, closing(sqlite3.connect(path)) as copy:
            connection.backup(copy, pages=_PAGES, sleep=0)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._database.close()
