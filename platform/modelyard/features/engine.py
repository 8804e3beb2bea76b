"""The engine, as features see it: what runs the SQL that definitions are compiled to.

SQL is written in DuckDB's dialect with `$name` for bound values; an engine of another dialect translates it. One more
engine is one more file beside `duckdb`, and a line in `modelyard.wiring`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from modelyard.features.quoting import identifier

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from modelyard.config.kinds import Source

SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
}
"""A column's type, as a source names it → as SQL does. Instants without a zone are UTC, as every session's zone is."""

Value = str | int | float | datetime | None
"""What can be bound. Instants are aware."""

Parameters = Mapping[str, Value]


@dataclass(frozen=True)
class SourceRows:
    """The rows of a source: the columns that it declares, in their types; instants in UTC."""

    source: Source


@dataclass(frozen=True)
class FileRows:
    """Files of published partitions, and which of their rows belong to these."""

    files: tuple[str, ...]
    column: str = ""
    """The column of instants that `ranges` are about; nothing where every row counts."""
    ranges: tuple[tuple[str, str], ...] = ()
    """Half-open, as ISO instants."""


@dataclass(frozen=True)
class PartitionRows:
    """The rows of published partitions: those of several groups of files, one after the other."""

    groups: tuple[FileRows, ...]


Relation = SourceRows | PartitionRows


class Session(Protocol):
    """Some relations, and tables made from them, for one piece of work.

    Every call may raise `InvalidData` (the data do not fit what was declared of them, or the SQL does not fit the
    data) and `StorageFull`.
    """

    def put(self, name: str, table: pa.Table) -> None:
        """Make a small table of values at hand."""

    def create(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Make a table of a query's rows; it may be larger than memory."""

    def append(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Add a query's rows to a table."""

    def drop(self, name: str) -> None:
        """Remove a table."""

    def columns(self, sql: str, parameters: Parameters | None = None) -> dict[str, str]:
        """The columns of a query and their types, as a source names types; another type by the engine's name."""

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of a query, all in memory."""

    def batches(
        self, sql: str, parameters: Parameters | None = None, *, rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a query, at most `rows` at a time; to be read before anything else is asked."""

    def write(self, sql: str, path: Path) -> None:
        """Write the rows of a query to a Parquet file, in their order, below the session's `writable` folder."""


class Engine(Protocol):
    """Runs SQL over declared relations, and sees nothing else."""

    def session(
        self, relations: Mapping[str, Relation], *, writable: Path | None = None
    ) -> AbstractContextManager[Session]:
        """Open a session.

        Args:
            relations: What SQL may read, by name.
            writable: The one folder that files are written to.

        Raises:
            InvalidData: A source's files are missing, or have not the columns that it declares.
        """


def count_rows(session: Session, relation: str) -> int:
    """How many rows a relation or a table of a session has."""
    return int(session.fetch(f"SELECT count(*) AS rows FROM {identifier(relation)}")["rows"][0].as_py())
