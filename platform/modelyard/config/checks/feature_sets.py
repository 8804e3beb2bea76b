"""What must hold of a FeatureSet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from modelyard.config.checks.catalogue import (
    AS_OF,
    NUMBERS,
    check_column,
    check_keys,
    check_sql,
    columns_of,
)
from modelyard.config.kinds.base import as_keys, format_duration
from modelyard.config.problems import Finding, repeated
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.checks.catalogue import Catalogue, KnownFeatureSet
    from modelyard.config.kinds import Aggregation, FeatureSet, Source

DAY = timedelta(days=1)
OF_NUMBERS = frozenset({"sum", "avg", "stddev"})


def check_feature_set(known: KnownFeatureSet, catalogue: Catalogue) -> Iterator[Finding]:
    """Everything that is wrong within a feature set, and with what it names."""
    document = known.document
    source = catalogue.sources.get(document.source or "")
    if not document.aggregations and document.query is None:
        hint = "give it `aggregations`, a `query` or both"
        yield Finding((), "the feature set has nothing to compute", hint)
    if document.source is not None:
        yield from catalogue.check_name("Source", document.source, ("source",))
    yield from _check_times(document)
    yield from _check_aggregations(document, source)
    yield from _check_expressions(known)
    yield from _check_names(known)
    yield from _check_query(known)


def _check_times(document: FeatureSet) -> Iterator[Finding]:
    every, ttl = document.every, document.ttl
    if every % DAY and (every > DAY or DAY % every):
        reason = f"values cannot exist every {format_duration(every)}"
        yield Finding(("every",), reason, "whole days, or a part of a day that divides it: 1d, 7d, 12h, 1h, 15m")
    elif ttl < every:
        reason = f"values are used for {format_duration(ttl)} and exist every {format_duration(every)}"
        yield Finding(("ttl",), f"{reason}, so most would be missing", f"at least {format_duration(every)}")


def _check_aggregations(document: FeatureSet, source: Source | None) -> Iterator[Finding]:
    if document.aggregations and document.source is None:
        hint = "name the source whose rows are aggregated"
        yield Finding(("aggregations",), "aggregations need a `source`", hint, at_key=True)
    if not document.aggregations or source is None:
        return
    yield from check_keys(document.entity, source, ("entity",))
    if source.timestamp is None:
        hint = f"name the `timestamp` of `{source.name}`"
        yield Finding(("source",), f"windows need a timestamp, and the source `{source.name}` names none", hint)
    for index, aggregation in enumerate(document.aggregations):
        for finding in _check_aggregation(aggregation, source):
            yield finding._replace(path=("aggregations", index, *finding.path))


def _check_aggregation(aggregation: Aggregation, source: Source) -> Iterator[Finding]:
    types = NUMBERS if aggregation.how in OF_NUMBERS else ()
    yield from check_column(aggregation.of, source, ("of",), types=types, role=f"what `{aggregation.how}` is of")
    if aggregation.of is None and aggregation.how != "count":
        yield Finding(("how",), f"`{aggregation.how}` needs a column", "name it: `of: amount`")
    yield from check_sql(aggregation.where, columns_of(source), ("where",))


def _check_expressions(known: KnownFeatureSet) -> Iterator[Finding]:
    document = known.document
    before = [aggregation.name for aggregation in document.aggregations]
    columns = None if known.query_columns is None else [*as_keys(document.entity), *before, *known.query_columns]
    later = {expression.name for expression in document.expressions}
    for index, expression in enumerate(document.expressions):
        for finding in check_sql(expression.sql, columns, ("expressions", index, "sql")):
            named_later = any(f"`{name}`" in finding.reason for name in later)
            yield finding._replace(hint="it is written later; change the order") if named_later else finding
        if columns is not None:
            columns = [*columns, expression.name]


def _check_names(known: KnownFeatureSet) -> Iterator[Finding]:
    document, keys = known.document, as_keys(known.document.entity)
    taken = {AS_OF: "the column of the instant", **dict.fromkeys(keys, "an entity column")}
    features = [(("aggregations", index, "name"), each.name) for index, each in enumerate(document.aggregations)]
    features += [(("expressions", index, "name"), each.name) for index, each in enumerate(document.expressions)]
    for path, name in features:
        if name in taken:
            yield Finding(path, f"`{name}` is already {taken[name]}", "choose another name")
        taken.setdefault(name, "a feature of this set")
    for index, expectation in enumerate(document.expectations):
        if known.features is not None and expectation.column not in (None, *keys, *known.features):
            hint = near_miss(expectation.column, (*keys, *known.features), what="its columns")
            path = ("expectations", index, "column")
            yield Finding(path, f"the feature set has no column `{expectation.column}`", hint)


def _check_query(known: KnownFeatureSet) -> Iterator[Finding]:
    document, returned = known.document, known.query_columns
    if document.query is None or returned is None:
        return
    for column in as_keys(document.entity):
        if column not in returned:
            hint = "its columns join the others on the entity"
            yield Finding(("query",), f"the query does not return the entity's column `{column}`", hint)
    for column in repeated(returned):
        yield Finding(("query",), f"the query returns two columns `{column}`", "rename one of them")
    others = {AS_OF, *(each.name for each in document.aggregations), *(each.name for each in document.expressions)}
    for column in sorted(others & set(returned)):
        yield Finding(("query",), f"the query's column `{column}` has the name of another", "rename one of them")
