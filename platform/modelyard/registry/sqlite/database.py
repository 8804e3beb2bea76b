"""The SQLite file: connections, transactions, durability, migrations, and what its errors mean.

Write-ahead logging lets many processes read while one writes. `synchronous=FULL` waits for the disk at every commit, so
that an acknowledged write survives a loss of power; NORMAL is quicker, and survives killed processes only.
The file must lie on a disk of this machine: the log's shared memory does not work over a network.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.errors import IntegrityError, ModelyardError, StorageFull, Unavailable, UsageError
from modelyard.registry.metadata import Stale
from modelyard.registry.sqlite.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT = 5.0
"""Seconds that a call waits for other writers before it gives up: some thousand writes could be done in it."""

_STATEMENTS = 256  # all that the code holds stay prepared
_PRIMARY_CODE = 0xFF  # the lower byte of an extended result code is the plain one

_WAIT, _NO_WAIT = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"

_BUSY = (Unavailable, "is busy: other processes have been writing for too long", "try again")
_DAMAGED = (IntegrityError, "is damaged, or no registry", "restore it from a backup")
_CLOSED = (UsageError, "can't be opened for writing", "check its folder and permissions")
_THERE = (Stale, "holds it already", "")
_UNKNOWN = (ModelyardError, "failed", "")
_MEANINGS: dict[int, tuple[type[ModelyardError], str, str]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: (StorageFull, "has no room: the disk is full", "make room, then try again"),
    sqlite3.SQLITE_IOERR: (Unavailable, "can't be read or written", "check the disk, then try again"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_READONLY: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: _THERE,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _THERE,
}
"""What a result code of SQLite means: an error, its reason, what to do."""


class Database:
    """A SQLite file that many threads and processes use at once.

    Args:
        path: The file; made, with its folder, when it is first used.
        busy_timeout: Seconds to wait for other writers.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._inherited: list[sqlite3.Connection] = []
        self._prepared = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: list[sqlite3.Connection] = []
        weakref.finalize(self, _close, self._idle, self._process)
        # Threads of one process queue here, fairly and at once; SQLite's own waiting sleeps and guesses.
        self._writer = threading.Lock()

    def _know_own_process(self) -> None:
        if self._process != os.getpid():
            # A connection must not be used, nor closed, on the other side of a fork: the child sets its parent's aside.
            self._inherited = self._idle
            self._begin()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with.

        Raises:
            Unavailable: The file is busy for too long, or can't be reached.
            IntegrityError: The file is damaged.
        """
        self._know_own_process()
        connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise self.meaning(error) from error
        except BaseException:
            self._idle.append(connection)
            raise
        self._idle.append(connection)

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction: all of it is kept when it ends, or nothing where it fails.

        A process that is killed anywhere in it leaves nothing of it.

        Args:
            durable: Whether to wait for the disk. What did not wait survives every killed process; a loss of power may
                undo it, until a later transaction has waited.

        Raises:
            Unavailable: Others write for too long.
            StorageFull: The disk holds no more.
        """
        self._know_own_process()
        with self._turn(), self.reading() as connection:
            connection.execute(_WAIT if durable else _NO_WAIT)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._writer.acquire(timeout=self._busy_timeout):
            msg = f"`{self.path}` is busy: other threads have been writing for {self._busy_timeout:g} s"
            raise Unavailable(msg, "try again")
        try:
            yield
        finally:
            self._writer.release()

    def close(self) -> None:
        """Close the connections that nobody uses. The next call opens new ones."""
        _close(self._idle, self._process)

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            if not self._prepared:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_timeout,
                isolation_level=None,
                check_same_thread=False,  # the pool hands a connection to one thread at a time
                cached_statements=_STATEMENTS,
            )
        except sqlite3.Error as error:
            raise self.meaning(error) from error
        except OSError as error:
            msg = f"`{self.path.parent}` can't be made: {error.strerror}"
            raise UsageError(msg, "name a folder that can be written") from error
        try:
            self._configure(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self.meaning(error) from error
        except ModelyardError:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        connection.execute(_WAIT)
        connection.execute("PRAGMA fullfsync = 1")  # macOS: fsync alone stops at the drive's cache
        if not self._prepared:
            migrate(connection, self.path)
            self._prepared = True

    def meaning(self, error: sqlite3.Error) -> ModelyardError:
        """What an error of SQLite means to a caller."""
        code = getattr(error, "sqlite_errorcode", 0)
        kind, reason, hint = _MEANINGS.get(code) or _MEANINGS.get(code & _PRIMARY_CODE, _UNKNOWN)
        return kind(f"`{self.path}` {reason}: {error}", hint)


def _close(connections: list[sqlite3.Connection], process: int) -> None:
    while connections and process == os.getpid():
        connections.pop().close()


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file's tables to the version that this code knows, in one transaction.

    Several processes may do so at once: the first does the work, and the others find it done.

    Raises:
        UsageError: A newer version of this code wrote the file.
        IntegrityError: The file belongs to another program.
    """
    if _known_version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for steps in MIGRATIONS[_known_version(connection, path) :]:
            for step in steps:
                connection.execute(step) if isinstance(step, str) else step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _known_version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != APPLICATION_ID:
        msg = f"`{path}` is a database of another program"
        raise IntegrityError(msg, "name another folder for Modelyard's state")
    if version > len(MIGRATIONS):
        msg = f"`{path}` has schema {version}, and this Modelyard knows {len(MIGRATIONS)} at most"
        raise UsageError(msg, "upgrade Modelyard to the version that wrote it, or a newer one")
    return version


def expect(cursor: sqlite3.Cursor, what: str) -> None:
    """Make sure that a conditional statement found its row.

    Raises:
        Stale: It did not.
    """
    if cursor.rowcount != 1:
        raise Stale(what)
