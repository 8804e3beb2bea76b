"""Where a feature's values come from: the columns of sources, through queries, other feature sets and expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage as trace

from modelyard.features.sql import DIALECT
from modelyard.features.templates import ref_relation, source_relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.features.compile import CompiledSet
    from modelyard.features.sql import Query

Lineage = dict[str, tuple[str, ...]]
"""For each feature, the source columns that it comes from, as `source.column`, in alphabetical order."""


def lineage_of(compiled: CompiledSet) -> Lineage:
    """The lineage of a feature set.

    A feature of rows as such, as `count(*)` is, comes from its source's timestamp where it has a window, and else from
    `source.*`.
    """
    document = compiled.definition.document
    found: dict[str, set[str]] = {}
    for one in document.aggregations:
        condition = compiled.conditions.get(one.name)
        columns = {compiled.source.timestamp, one.of, *(condition.columns if condition else ())} - {None}
        found[one.name] = {f"{compiled.source.name}.{column}" for column in columns}
    if compiled.query is not None:
        features = [column for column in compiled.query_columns if column not in compiled.definition.entity]
        found |= {column: set(_of_query(compiled, compiled.query, column)) for column in features}
    for name, expression in compiled.expressions.items():
        found[name] = {origin for column in expression.columns for origin in found.get(column, ())}
    return {name: tuple(sorted(origins)) for name, origins in found.items()}


def _of_query(compiled: CompiledSet, query: Query, column: str) -> Iterator[str]:
    """The origins of one of the query's columns; of all that it reads, where its text does not tell."""
    sources = compiled.definition.sources
    schema = {source_relation(name): dict.fromkeys(source.columns, "UNKNOWN") for name, source in sources.items()}
    schema |= {ref_relation(name): dict.fromkeys(ref.columns, "UNKNOWN") for name, ref in compiled.refs.items()}
    origins: set[str] = set()
    try:
        node = trace(column, query.tree.copy(), schema=schema, dialect=DIALECT)
        for leaf in node.walk():
            if not leaf.downstream and isinstance(leaf.expression, exp.Table):
                origins |= set(_of_relation(compiled, leaf.expression.name, parse_one(leaf.name, dialect=DIALECT).name))
    except SqlglotError:
        origins = set()
    yield from origins or _everything(compiled, query)


def _of_relation(compiled: CompiledSet, relation: str, column: str) -> Iterator[str]:
    for name in compiled.definition.sources:
        if relation == source_relation(name):
            yield f"{name}.{column}"
    for name, ref in compiled.refs.items():
        if relation == ref_relation(name):
            known = lineage_of(ref)
            # An entity's column is no feature; it comes from whatever the set is made of.
            yield from known.get(column, sorted({origin for origins in known.values() for origin in origins}))


def _everything(compiled: CompiledSet, query: Query) -> Iterator[str]:
    for table in query.tree.find_all(exp.Table):
        for name in compiled.definition.sources:
            if table.name == source_relation(name):
                yield f"{name}.*"
        for name, ref in compiled.refs.items():
            if table.name == ref_relation(name):
                yield from (origin for origins in lineage_of(ref).values() for origin in origins)
