"""DuckDB as the engine: in this process, memory bounded, what does not fit spilled to a folder.

A session is a database of its own in memory. Its relations are views; once they are there, it is locked: it can read
their files, write below one folder, and nothing else on the machine; it loads no extension, and its configuration
stays as it is.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from modelyard.config.kinds.source import S3
from modelyard.config.substitution import refuse_unset
from modelyard.datasets.folders import scratch_folder
from modelyard.errors import InvalidData, ModelyardError, StorageFull
from modelyard.features.duckdb_sources import partition_select, source_files, source_select
from modelyard.features.engine import SourceRows
from modelyard.features.quoting import identifier, text
from modelyard.features.source_places import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from modelyard.config.kinds import Source
    from modelyard.features.engine import Parameters, Relation, Value
    from modelyard.features.s3_sources import S3Sources
    from modelyard.features.source_places import SourcePlaces

_KINDS = {
    "integer": r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)",
    "double": r"FLOAT|DOUBLE|DECIMAL\(.*\)",
    "boolean": r"BOOLEAN",
    "string": r"VARCHAR|ENUM\(.*\)",
    "timestamp": r"TIMESTAMP.*",
    "date": r"DATE",
}

_SHOWN = 200
"""Characters of a long word in a message, and half of those at either end of a long message."""

_NO_ROOM = re.compile("space|quota exceeded|file too large", re.IGNORECASE)

_ROW_GROUP = 122_880
"""Rows of a Parquet file that are read or skipped together; DuckDB's own default, said so that it stays."""


class DuckDBEngine:
    """Runs SQL in this process.

    Args:
        root: The project's folder, from which relative paths of sources start.
        scratch: Where sessions spill what does not fit into memory; each removes its own, and those of the dead.
        remote: Fetches the objects of sources that lie in S3; such sources are refused where there is none.
        places: Where sources may lie.
        memory_limit: What a session may hold in memory, as DuckDB writes it.
        threads: How many threads a session uses; as many as there are cores unless said.
    """

    def __init__(
        self,
        root: Path,
        scratch: Path,
        *,
        remote: S3Sources | None = None,
        places: SourcePlaces = ANYWHERE,
        memory_limit: str = "1GiB",
        threads: int | None = None,
    ) -> None:
        self._root = root
        self._remote = remote
        self._places = places
        self._scratch = scratch
        self._config: dict[str, str | int | bool] = {
            "memory_limit": memory_limit,
            **({"threads": threads} if threads else {}),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            # Rows come out in the order in which they lie in files, so that equal work has equal results.
            "preserve_insertion_order": True,
        }

    @contextmanager
    def session(self, relations: Mapping[str, Relation], *, writable: Path | None = None) -> Iterator[DuckDBSession]:
        """Open a session that sees some relations and nothing else; see `modelyard.features.engine.Engine`."""
        with scratch_folder(self._scratch) as spill:
            connection = duckdb.connect(":memory:", config={**self._config, "temp_directory": str(spill)})
            names: dict[str, str] = {}
            try:
                with _plain_errors(names):
                    connection.execute("SET TimeZone = 'UTC'")
                    for name, relation in relations.items():
                        self._view(connection, name, relation, names)
                    _lock(connection, list(names), writable)
                yield DuckDBSession(connection, names)
            finally:
                connection.close()

    def _view(
        self, connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, names: dict[str, str]
    ) -> None:
        """Give a relation its name, and add the files that it reads, each with what people call it."""
        if isinstance(relation, SourceRows):
            files = self._source_files(relation.source)
            names |= files
            select = source_select(relation.source, list(files))
        else:
            names |= {file: file for group in relation.groups for file in group.files}
            select = partition_select(relation)
        connection.execute(f"CREATE VIEW {identifier(name)} AS {select}")

    def _source_files(self, source: Source) -> dict[str, str]:
        refuse_unset(source.path, f"source `{source.name}`")
        if self._remote is not None and source.path.startswith(S3):
            return self._remote.fetch(source)
        return {file: file for file in source_files(source, self._root, self._places)}


class DuckDBSession:
    """An open session; made by `DuckDBEngine.session`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._names = names

    def put(self, name: str, table: pa.Table) -> None:
        """Make a small table of values at hand."""
        self._connection.register("__put", table)
        self._execute(f'CREATE OR REPLACE TEMP TABLE {identifier(name)} AS SELECT * FROM "__put"')
        self._connection.unregister("__put")

    def create(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Make a table of a query's rows; it may be larger than memory."""
        self._execute(f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS {sql}", parameters)

    def append(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Add a query's rows to a table."""
        self._execute(f"INSERT INTO {identifier(name)} BY NAME {sql}", parameters)

    def drop(self, name: str) -> None:
        """Remove a table."""
        self._execute(f"DROP TABLE {identifier(name)}")

    def columns(self, sql: str, parameters: Parameters | None = None) -> dict[str, str]:
        """The columns of a query and their types."""
        described = self.fetch(f"DESCRIBE {sql}", parameters)
        names, types = described["column_name"].to_pylist(), described["column_type"].to_pylist()
        return {name: _kind(kind) for name, kind in zip(names, types, strict=True)}

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of a query, all in memory."""
        with _plain_errors(self._names):
            return self._select(sql, parameters).to_arrow_table()

    def batches(
        self, sql: str, parameters: Parameters | None = None, *, rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a query, at most `rows` at a time; to be read before anything else is asked."""
        with _plain_errors(self._names):
            yield from self._select(sql, parameters).to_arrow_reader(rows)

    def write(self, sql: str, path: Path) -> None:
        """Write the rows of a query to a Parquet file, in their order."""
        options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROW_GROUP}"
        self._execute(f"COPY ({sql}) TO {text(str(path))} ({options})")

    def _execute(self, sql: str, parameters: Parameters | None = None) -> None:
        with _plain_errors(self._names):
            self._connection.execute(sql, self._used(sql, parameters))

    def _select(self, sql: str, parameters: Parameters | None) -> duckdb.DuckDBPyRelation:
        return self._connection.sql(sql, params=self._used(sql, parameters))

    def _used(self, sql: str, parameters: Parameters | None) -> dict[str, Value] | None:
        """The parameters that a statement names; DuckDB refuses others."""
        names = self._connection.extract_statements(sql)[0].named_parameters if parameters else ()
        return {name: value for name, value in (parameters or {}).items() if name in names} or None


def _lock(connection: duckdb.DuckDBPyConnection, files: list[str], writable: Path | None) -> None:
    connection.execute(f"SET allowed_paths = [{', '.join(text(file) for file in files)}]")
    if writable is not None:
        connection.execute(f"SET allowed_directories = [{text(f'{writable}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _kind(name: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if re.fullmatch(pattern, name)), name)


@contextmanager
def _plain_errors(names: Mapping[str, str]) -> Iterator[None]:
    """DuckDB's errors as ours, each with the first thing that it says.

    Args:
        names: For each file, what people call it: one that was fetched has a name here that means nothing to them.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        reason = f"the engine's memory does not suffice: {_said(error, names)}"
        raise ModelyardError(reason, "give it more, or read a shorter range of days") from error
    except duckdb.IOException as error:
        if _NO_ROOM.search(str(error)):
            reason = f"no room is left: {_said(error, names)}"
            raise StorageFull(reason, "make room; what was published before is unharmed") from error
        raise InvalidData(_said(error, names), "compare the source's files with what it declares of them") from error
    except duckdb.Error as error:
        raise InvalidData(_said(error, names), "compare the columns' types, and the SQL, with the data") from error
    except InvalidData as error:
        raise InvalidData(_named(error.reason, names), error.hint) from error


def _named(text: str, names: Mapping[str, str]) -> str:
    """A text with files as people call them."""
    for file, name in names.items():
        if file != name:
            text = text.replace(file, name)
    return text


def _said(error: duckdb.Error, names: Mapping[str, str]) -> str:
    """What an error says of the data: without the statement, which is ours, and without advice on DuckDB's options."""
    told = _named(str(error), names)
    words = re.split(r"\n\s*(?:LINE \d+:|Column \S+ is being converted|Possible (?:fixes|solutions?):)", told)[0]
    file = re.search(r"^\s*file = (.*)$", told, re.MULTILINE)
    place = f"{file[1]}: " if file else ""
    # It quotes values and lines whatever their length, and what is wrong with them comes after.
    words = re.sub(rf"\S{{{_SHOWN},}}", lambda long: f"{long[0][:_SHOWN]}…", words)
    said = " ".join(words.replace("Invalid Input Error: source", "source").split())
    return place + (said if len(said) <= 5 * _SHOWN else f"{said[: 2 * _SHOWN]} … {said[-2 * _SHOWN :]}")
