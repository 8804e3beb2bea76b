"""The documents that other documents name, and the findings about names and columns that are not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.config.kinds.base import as_keys
from modelyard.config.problems import Finding
from modelyard.config.sql_names import scalar_names
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from modelyard.config.kinds import Architecture, FeatureSet, Source
    from modelyard.config.problems import FieldPath

AS_OF = "as_of"
"""The column of a feature set's rows that holds their instant."""

NUMBERS = frozenset({"integer", "double"})
TIMES = frozenset({"timestamp", "date"})


@dataclass(frozen=True)
class KnownFeatureSet:
    """A feature set, as far as its documents tell."""

    document: FeatureSet
    query_columns: tuple[str, ...] | None = ()
    """The columns that its query returns; None where its text alone does not say."""

    @property
    def features(self) -> tuple[str, ...] | None:
        """Its features by name; None where the documents do not say."""
        if self.query_columns is None:
            return None
        keys = as_keys(self.document.entity)
        return (
            *(aggregation.name for aggregation in self.document.aggregations),
            *(column for column in self.query_columns if column not in keys),
            *(expression.name for expression in self.document.expressions),
        )


@dataclass(frozen=True)
class Catalogue:
    """The documents of a project that others may name."""

    sources: Mapping[str, Source]
    feature_sets: Mapping[str, KnownFeatureSet]
    architectures: Mapping[str, Architecture]
    modules: tuple[str, ...] | None
    """The modules that pipelines may name; None where they are not known."""
    broken: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By kind, the names of documents that are there and have problems of their own."""

    def check_name(self, kind: str, name: str, path: FieldPath) -> Iterator[Finding]:
        """A name that no document has.

        Args:
            kind: The kind that is named.
            name: The name.
            path: Where it is named.
        """
        known = {"Source": self.sources, "FeatureSet": self.feature_sets, "Architecture": self.architectures}[kind]
        broken = self.broken.get(kind, ())
        if name not in known and name not in broken:
            yield Finding(path, f"there is no {kind} `{name}`", near_miss(name, (*known, *broken)))


def check_column(
    column: str | None, source: Source | None, path: FieldPath, *, types: Collection[str] = (), role: str = ""
) -> Iterator[Finding]:
    """A column that its source has not, or has with a type that will not do.

    Args:
        column: The column, if any is named.
        source: The source, if it is known.
        path: Where the column is named.
        types: The types that will do; all of them unless said.
        role: What the column is used as, for the message about its type.
    """
    if column is None or source is None:
        return
    if column not in source.columns:
        hint = near_miss(column, source.columns, what="its columns")
        yield Finding(path, f"the source `{source.name}` has no column `{column}`", hint)
    elif types and source.columns[column] not in types:
        due = " or ".join(sorted(types))
        fitting = [name for name, kind in source.columns.items() if kind in types]
        hint = f"of that type: {', '.join(fitting)}" if fitting else "no column of the source is of that type"
        yield Finding(path, f"{role} must be of type {due}, and `{column}` is {source.columns[column]}", hint)


def check_keys(keys: str | tuple[str, ...] | None, source: Source | None, path: FieldPath) -> Iterator[Finding]:
    """Key columns that their source has not, or that are named twice."""
    for index, column in enumerate(as_keys(keys)):
        here = (*path, index) if isinstance(keys, tuple) else path
        if column in as_keys(keys)[:index]:
            yield Finding(here, f"`{column}` is named twice", "name it once")
        yield from check_column(column, source, here)


def check_sql(sql: str | None, columns: Collection[str] | None, path: FieldPath) -> Iterator[Finding]:
    """An expression that is no SQL, or that names a column that is not there.

    Args:
        sql: The expression, if any.
        columns: The columns that it may name; None where they are not known.
        path: Where it is written.
    """
    if sql is None:
        return
    names = scalar_names(sql)
    if names.error:
        yield Finding(path, f"not a SQL expression: {names.error}", "one scalar expression, as \"direction = 'out'\"")
    for column in names.columns:
        if columns is not None and column not in columns:
            yield Finding(path, f"there is no column `{column}`", near_miss(column, columns, what="the columns"))


def columns_of(source: Source | None) -> Collection[str] | None:
    """A source's columns, if it is known."""
    return None if source is None else source.columns
