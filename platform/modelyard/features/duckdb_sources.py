"""A source as a SELECT over its files: paths found, columns checked, types cast, instants in UTC."""

from __future__ import annotations

import csv
import glob
import gzip
import importlib.util
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from modelyard.config.kinds.source import PACKAGE
from modelyard.errors import InvalidData
from modelyard.features.engine import SQL_TYPES
from modelyard.features.quoting import identifier, identifiers, text
from modelyard.features.source_places import SourcePlaces
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.config.kinds import Source
    from modelyard.features.engine import FileRows, PartitionRows

_FLOATING = ("float", "halffloat", "double", "decimal")
_NUMBERS = ("int", "uint", "bool", *_FLOATING)
_SURE = {
    "string": ("",),
    "integer": ("int", "uint8", "uint16", "uint32", "bool", "null"),
    "double": (*_NUMBERS, "null"),
    "boolean": (*_NUMBERS, "null"),
    "timestamp": ("timestamp", "date", "null"),
    "date": ("timestamp", "date", "null"),
}
"""For each declared type, how the stored types begin of which every value is one of it."""

_SHOWN = 100
"""Characters of a value in a message."""


def source_files(source: Source, root: Path, places: SourcePlaces) -> list[str]:
    """The files of a source on this machine, in order.

    Args:
        source: The source.
        root: The folder that relative paths start from.
        places: Where sources may lie.

    Raises:
        InvalidData: There are none, or they lie where they may not.
    """
    if "://" in source.path:
        reason = f"source `{source.name}`: {source.path} is an address, not a path"
        raise InvalidData(reason, "give a file or a glob of files of this machine")
    if source.path.startswith(PACKAGE):
        folder, inside = _in_package(source)
        pattern, places = f"{folder}/{inside}", SourcePlaces(allowed=(folder,))
    else:
        pattern = str(root / source.path)
    places.check(source, _followed(pattern))  # first: what else a folder holds is not everybody's to know
    paths = glob.glob(pattern, recursive=True)  # noqa: PTH207 - the pattern may be absolute
    found = sorted(path for path in paths if Path(path).is_file())
    if not found:
        reason = f"source `{source.name}`: there is no file {source.path}"
        raise InvalidData(reason, _nearest(Path(pattern), root, places))
    for path in found:
        places.check(source, os.path.realpath(path))
    return found


def _followed(pattern: str) -> str:
    """A pattern whose folders before its first wildcard are where links lead."""
    plain = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    folder = plain.rpartition("/")[0]
    return f"{os.path.realpath(folder or '/').rstrip('/')}{pattern[len(folder) :]}"


def _in_package(source: Source) -> tuple[str, str]:
    """The folder of an installed package, and a path in it; the package is not imported."""
    package, _, inside = source.path.removeprefix(PACKAGE).partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    # A folder without `__init__.py` is a package to Python, and need not be an installed one.
    if found is None or found.origin is None or not found.submodule_search_locations:
        reason = f"source `{source.name}`: the Python package `{package}` is not installed"
        raise InvalidData(reason, "install it, or name another path")
    path = PurePosixPath(inside)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        reason = f"source `{source.name}`: {source.path} names no file of its package"
        raise InvalidData(reason, "name one: `package:sklearn/datasets/data/iris.csv`")
    return os.path.realpath(found.submodule_search_locations[0]), inside


def _nearest(pattern: Path, root: Path, places: SourcePlaces) -> str:
    """What there is instead, as far down as folders exist."""
    folder = pattern
    while not folder.is_dir():
        folder = folder.parent
    if not places.permit(f"{os.path.realpath(folder)}/"):
        return "the folder that sources may lie in is not there"
    names = sorted(path.name for path in folder.iterdir())[:5]
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return f"{shown} holds {', '.join(names) or 'nothing'}; relative paths start at the project's folder"


def source_select(source: Source, files: Sequence[str]) -> str:
    """A SELECT of a source's declared columns.

    Raises:
        InvalidData: A file has not the columns that the source declares.
    """
    _check_names(source)
    return _parquet_select(source, files) if source.format == "parquet" else _csv_select(source, files)


def partition_select(rows: PartitionRows) -> str:
    """A SELECT of the rows of published partitions."""
    return " UNION ALL BY NAME ".join(_group_select(group) for group in rows.groups)


def _group_select(group: FileRows) -> str:
    select = f"SELECT * FROM read_parquet({_list(group.files)})"
    if not group.ranges:
        return select
    column = identifier(group.column)
    ranges = (
        f"({column} >= TIMESTAMPTZ {text(low)} AND {column} < TIMESTAMPTZ {text(high)})" for low, high in group.ranges
    )
    return f"{select} WHERE {' OR '.join(ranges)}"


def _check_names(source: Source) -> None:
    """Names that differ in case alone are one name to SQL."""
    seen: dict[str, str] = {}
    for column in source.columns:
        other = seen.setdefault(column.lower(), column)
        if other != column:
            reason = f"source `{source.name}`: the columns `{other}` and `{column}` are the same name to SQL"
            raise InvalidData(reason, "rename one of them in the data")
        if column.startswith("__"):
            reason = f"source `{source.name}`: the column `{column}` begins with two underscores"
            raise InvalidData(reason, "such names are Modelyard's own; leave it out, or rename it in the data")


# Parquet ------------------------------------------------------------------------------------------------------------


def _parquet_select(source: Source, files: Sequence[str]) -> str:
    """Files that store the columns in equal types are read together; a reader alone would go by the first file's."""
    by_types: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        by_types.setdefault(_stored_types(source, file), []).append(file)
    selects = []
    for types, group in by_types.items():
        columns = ", ".join(_cast(source, column, kind) for column, kind in zip(source.columns, types, strict=True))
        selects.append(f"SELECT {columns} FROM read_parquet({_list(group)}, hive_partitioning = false)")
    return " UNION ALL ".join(selects)


def _stored_types(source: Source, file: str) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
    except pa.ArrowInvalid as error:
        reason = f"source `{source.name}`: {file} is not a Parquet file: {error}"
        raise InvalidData(reason, "compare `format` with the file") from error
    _check_columns(source, schema.names, file)
    return tuple(str(schema.field(column).type) for column in source.columns)


def _cast(source: Source, column: str, stored: str) -> str:
    """A column in its declared type. What would be rounded, or is no such value, is an error that names its place."""
    kind = source.columns[column]
    name = identifier(column)
    cast = f"CAST({name} AS {SQL_TYPES[kind]})"
    if stored.startswith(_SURE[kind]):
        return f"{cast} AS {name}"
    fits = f"TRY_CAST({name} AS {SQL_TYPES[kind]}) IS NOT NULL"
    if kind == "integer" and stored.startswith(_FLOATING):
        fits = f"{name} = trunc({name}) AND {fits}"
    wrong = text(f"source `{source.name}`: `{column}` is declared as {kind} and holds ")
    broken = f"error({wrong} || left(CAST({name} AS VARCHAR), {_SHOWN}) || ' in ' || filename)"
    return f"CASE WHEN {name} IS NULL OR {fits} THEN {cast} ELSE {broken} END AS {name}"


# CSV ----------------------------------------------------------------------------------------------------------------


def _csv_select(source: Source, files: Sequence[str]) -> str:
    """Files with equal headers are read together."""
    by_header: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        by_header.setdefault(_header(source, file), []).append(file)
    wanted = identifiers(source.columns)
    return " UNION ALL ".join(
        f"SELECT {wanted} FROM {_read_csv(source, header, group)}" for header, group in by_header.items()
    )


def _read_csv(source: Source, header: Sequence[str], files: Sequence[str]) -> str:
    layout = source.csv
    kinds = (f"{text(name)}: {text(SQL_TYPES[source.columns.get(name, 'string')])}" for name in header)
    options = {
        "columns": f"{{{', '.join(kinds)}}}",
        "auto_detect": "false",
        "header": str(layout is None or not layout.names).lower(),
        "skip": str(layout.skip if layout else 0),
        "delim": text(layout.delimiter if layout else ","),
        "quote": text('"'),
        "escape": text('"'),
        "nullstr": text(""),
    }
    return f"read_csv({_list(files)}, {', '.join(f'{name} = {value}' for name, value in options.items())})"


def _header(source: Source, file: str) -> tuple[str, ...]:
    """A name for each of a file's columns, in order; those that the source does not declare get one of ours."""
    names = list(source.csv.names if source.csv is not None else ()) or _first_line(source, file)
    _check_columns(source, names, file)
    for column in source.columns:
        if names.count(column) > 1:
            reason = f"source `{source.name}`: {file} has several columns `{column}`"
            raise InvalidData(reason, "rename all but one of them in the data")
    return tuple(name if name in source.columns else f"__{number}" for number, name in enumerate(names))


def _first_line(source: Source, file: str) -> list[str]:
    opener = gzip.open if file.endswith(".gz") else open
    layout = source.csv
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as lines:
            for _ in range(layout.skip if layout else 0):
                next(lines, None)
            names = next(csv.reader(lines, delimiter=layout.delimiter if layout else ","), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = f"source `{source.name}`: {file} is not a CSV file: {error}"
        raise InvalidData(reason, "compare `format` and `csv` with the file") from error
    if not names:
        reason = f"source `{source.name}`: {file} has no line that names its columns"
        raise InvalidData(reason, "write one into it, or name them under `csv.names`")
    return names


def _check_columns(source: Source, there: Iterable[str], file: str) -> None:
    names = list(there)
    for column in source.columns:
        if column not in names:
            reason = f"source `{source.name}`: {file} has no column `{column}`"
            # Not all of them: what the file's first line holds may be no header, and is not for a run's record.
            raise InvalidData(reason, near_miss(column, names, otherwise=f"it has {len(names)} others"))


def _list(files: Sequence[str]) -> str:
    return f"[{', '.join(text(file) for file in files)}]"
