"""What must hold of a Source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.config.checks.catalogue import TIMES, check_column
from modelyard.config.kinds.source import PACKAGE, S3
from modelyard.config.problems import Finding
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.kinds import Source

_PACKAGE_FILE = re.compile(r"[A-Za-z_][\w.-]*(/[^/]+)+")
_OBJECTS = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^/].*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def check_source(source: Source) -> Iterator[Finding]:
    """Everything that is wrong within a source."""
    yield from _check_path(source.path)
    yield from _check_columns(source)
    yield from check_column(source.timestamp, source, ("timestamp",), types=TIMES, role="a timestamp")
    yield from check_column(source.available, source, ("available",), types=TIMES, role="the time of becoming known")
    if source.available and not source.timestamp:
        yield Finding(("available",), "it needs a `timestamp`", "name the column that says when a row's event happened")
    if source.csv and source.format != "csv":
        hint = "remove it, or set `format: csv`"
        yield Finding(("csv",), f"it is about CSV files, and the format is {source.format}", hint, at_key=True)
    yield from _check_names(source)
    for index, expectation in enumerate(source.expectations):
        yield from check_column(expectation.column, source, ("expectations", index, "column"))


def _check_columns(source: Source) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for column in source.columns:
        other = seen.setdefault(column.lower(), column)
        if other != column:
            reason = f"`{column}` and `{other}` are one name to SQL"
            yield Finding(("columns", column), reason, "rename one of them in the data", at_key=True)
        if column.startswith("__"):
            reason = f"`{column}` begins with two underscores, as Modelyard's own columns do"
            yield Finding(("columns", column), reason, "leave it out, or rename it in the data", at_key=True)


def _check_names(source: Source) -> Iterator[Finding]:
    names = source.csv.names if source.csv else ()
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Finding(("csv", "names", index), f"a second column `{name}`", "give each column a name of its own")
    for column in source.columns if names else ():
        if column not in names:
            hint = near_miss(column, names, what="they are")
            yield Finding(("columns", column), f"`{column}` is not among `csv.names`", hint, at_key=True)


def check_available(source: Source) -> Iterator[Finding]:
    """What should be said of a source whose rows become features: nobody knows when they became known."""
    if source.timestamp and source.available is None:
        reason = "no `available`, so each row counts as known at its timestamp"
        hint = "name the column that says when the row became known, or `available: "
        yield Finding((), reason, f"{hint}{source.timestamp}` if rows never arrive late")


def _check_path(path: str) -> Iterator[Finding]:
    if path.startswith(PACKAGE):
        file = path.removeprefix(PACKAGE)
        if not _PACKAGE_FILE.fullmatch(file) or {".", ".."} & set(file.split("/")):
            yield Finding(
                ("path",), f"`{path}` names no file of a package", "as package:sklearn/datasets/data/iris.csv"
            )
    elif path.startswith(S3):
        if not _OBJECTS.fullmatch(path) or {".", ".."} & set(path.split("/")):
            yield Finding(("path",), f"`{path}` names no object of a bucket", "as s3://company-data/loans/*.parquet")
    elif _SCHEME.match(path):
        hint = "name a file, or a glob; s3://BUCKET/KEY for what lies in S3"
        yield Finding(("path",), f"`{path}` is an address, and a source is files", hint)
