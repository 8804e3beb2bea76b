"""A feature set's definition as SQL: what is run when it is materialised, and what `modelyard features compile` prints.

Three parts, each absent where the definition has none of it:

- aggregations: source rows joined with the instants at which they are known and in a window, grouped by entity and
  instant. One statement for one instant or for many.
- the query: one statement for each instant, over sources cut to what was known then.
- expressions: over the rows that the two make together.

One more aggregate is one more line in `_AGGREGATES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from modelyard.config.kinds.base import format_duration
from modelyard.errors import InvalidData
from modelyard.features.quoting import identifier, identifiers, present, text
from modelyard.features.sql import Query, Scalar, check_query, check_scalar
from modelyard.features.star import selected_names
from modelyard.features.templates import AS_OF, ref_relation, render, source_relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.config.kinds import Aggregation, Source

INSTANTS = "instants"
"""The relation of the instants that values are computed for: one column, `as_of`."""
AGGREGATED = "aggregated"
QUERIED = "queried"
SINCE, UNTIL = "since", "until"
"""Bound values: the first and last moments at which rows of the aggregations' source can count."""

_AGGREGATES = {
    # fsum and favg carry their rounding error along, so that the order of rows does not show in the result.
    "count": "count({of}){rows}",
    "count_distinct": "count(DISTINCT {of}){rows}",
    "sum": "fsum({of}){rows}",
    "avg": "favg({of}){rows}",
    "min": "min({of}){rows}",
    "max": "max({of}){rows}",
    "stddev": "stddev_samp({of}){rows}",
    # Of rows with one timestamp, the one that became known last; of those, the greatest value.
    "last": "arg_max({of}, {{'time': __time, 'known': __known, 'value': {of}}}){rows}",
}
_OF_INTEGERS = _AGGREGATES | {"sum": "CAST(sum({of}){rows} AS BIGINT)", "avg": "avg({of}){rows}"}
"""Exact as they are."""

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def rows_relation(source: str) -> str:
    """The name, in SQL, of all rows of a source."""
    return f"rows:{source}"


def values_relation(feature_set: str) -> str:
    """The name, in SQL, of a feature set's published values."""
    return f"values:{feature_set}"


def ref_instant(feature_set: str) -> str:
    """The name of the bound value that holds the instant of a feature set's values for a query."""
    return f"instant_of_{feature_set}"


def time_of(source: Source) -> str:
    """When a row happened, as SQL."""
    return _moment(source, source.timestamp or "")


def known_of(source: Source) -> str:
    """When a row became known, as SQL; null: not yet."""
    return _moment(source, source.available or source.timestamp or "")


def known_rows(source: Source, moment: str) -> str:
    """The condition, as SQL, that a row was known at a moment; rows without a time always were."""
    if source.timestamp is None:
        return "TRUE"
    return f"{time_of(source)} < {moment} AND {known_of(source)} <= {moment}"


def _moment(source: Source, column: str) -> str:
    name = identifier(column)
    return f"CAST({name} AS TIMESTAMPTZ)" if source.columns[column] == "date" else name


@dataclass(frozen=True)
class CompiledSet:
    """The SQL of a feature set."""

    definition: FeatureSetDefinition

    @property
    def place(self) -> str:
        """The feature set, for messages."""
        return f"feature set `{self.definition.name}`"

    # Aggregations --------------------------------------------------------------------------------------------------

    @cached_property
    def horizon(self) -> timedelta:
        """How far before an instant a row still counts: the longest window, or the ttl if that is longer."""
        return max((*(one.window for one in self.definition.document.aggregations), self.definition.document.ttl))

    @cached_property
    def conditions(self) -> dict[str, Scalar]:
        """The checked `where` of each aggregation that has one."""
        return {
            one.name: check_scalar(one.where, self.source.columns, f"{self.place}, `{one.name}`, where")
            for one in self.definition.document.aggregations
            if one.where is not None
        }

    @property
    def source(self) -> Source:
        """The source whose rows are aggregated."""
        return self.definition.sources[self.definition.document.source or ""]

    @cached_property
    def aggregated(self) -> str | None:
        """Entity, instant and aggregates, for every entity with a row within the horizon of an instant."""
        return self._aggregated(f"${SINCE}", f"${UNTIL}") if self.definition.document.aggregations else None

    def _aggregated(self, since: str, until: str) -> str:
        document, source, keys = self.definition.document, self.source, self.definition.entity
        if source.timestamp is None:
            reason = f"{self.place}: windows need a timestamp, and the source `{source.name}` names none"
            raise InvalidData(reason, f"name the `timestamp` of `{source.name}`")
        windows = sorted({one.window for one in document.aggregations} | {self.horizon})
        starts = (f"as_of - {_interval(window)} AS {_start(window)}" for window in windows)
        aggregates = (f"{self._aggregate(one)} AS {identifier(one.name)}" for one in document.aggregations)
        time, known = time_of(source), known_of(source)
        return (
            f"SELECT {identifiers(keys, 'r')}, i.__as_of AS as_of, {', '.join(aggregates)} "
            f"FROM (SELECT as_of AS __as_of, {', '.join(starts)} FROM {INSTANTS}) AS i "
            f"JOIN (SELECT *, {time} AS __time, {known} AS __known FROM {identifier(rows_relation(source.name))} "
            f"WHERE {present(keys)} AND {time} >= {since} AND {time} < {until}) AS r "
            f"ON r.__time < i.__as_of AND r.__known <= i.__as_of AND r.__time >= i.{_start(self.horizon)} "
            "GROUP BY ALL"
        )

    def _aggregate(self, one: Aggregation) -> str:
        counts = [f"r.__time >= i.{_start(one.window)}"] if one.window < self.horizon else []
        counts += [self.conditions[one.name].sql] if one.name in self.conditions else []
        rows = f" FILTER (WHERE {' AND '.join(counts)})" if counts else ""
        if one.of is None:
            return f"count(*){rows}"
        forms = _OF_INTEGERS if self.source.columns[one.of] == "integer" else _AGGREGATES
        return forms[one.how].format(of=identifier(one.of), rows=rows)

    # The query -----------------------------------------------------------------------------------------------------

    @cached_property
    def query(self) -> Query | None:
        """The checked query, over the relations that its template names."""
        definition = self.definition
        if definition.query is None:
            return None
        place = f"{self.place}, query"
        rendered = render(definition.query, sources=definition.sources, refs=definition.refs, place=place)
        relations = {*map(source_relation, rendered.sources), *map(ref_relation, rendered.refs)}
        return check_query(rendered.sql, relations, (AS_OF,), place)

    @cached_property
    def query_columns(self) -> tuple[str, ...]:
        """The columns that the query returns.

        Raises:
            InvalidData: They cannot be told, or are not an entity and its features.
        """
        if self.query is None:
            return ()
        definition = self.definition
        schema = {source_relation(name): tuple(source.columns) for name, source in definition.sources.items()}
        schema |= {ref_relation(name): compiled.columns for name, compiled in self.refs.items()}
        columns = selected_names(self.query, schema, f"{self.place}, query")
        for key in definition.entity:
            if key not in columns:
                reason = f"{self.place}, query: it does not return the entity's column `{key}`"
                raise InvalidData(reason, f"it returns {', '.join(columns)}")
        return columns

    @cached_property
    def refs(self) -> dict[str, CompiledSet]:
        """The feature sets that the query may refer to, compiled."""
        return {name: CompiledSet(ref) for name, ref in self.definition.refs.items()}

    @cached_property
    def queried(self) -> str | None:
        """Entity, instant and the query's features, for one instant: the bound `as_of`."""
        if self.query is None:
            return None
        keys = self.definition.entity
        moment = f"CAST(${AS_OF} AS TIMESTAMPTZ)"
        features = [column for column in self.query_columns if column not in keys]
        parts = [*self._relations(moment), f"__query AS ({self.query.sql})"]
        return (
            f"WITH {', '.join(parts)} "
            f"SELECT {', '.join([identifiers(keys), f'{moment} AS as_of', *map(identifier, features)])} "
            f"FROM __query WHERE {present(keys)}"
        )

    def _relations(self, moment: str) -> Iterable[str]:
        """What the query reads: sources as known at the instant, feature sets as of it."""
        for name, source in self.definition.sources.items():
            rows = identifier(rows_relation(name))
            select = f"SELECT * FROM {rows} WHERE {known_rows(source, moment)}"
            yield f"{identifier(source_relation(name))} AS NOT MATERIALIZED ({select})"
        for name, compiled in self.refs.items():
            values = f"{identifiers(compiled.columns)} FROM {identifier(values_relation(name))}"
            select = f"SELECT {values} WHERE as_of = CAST(${ref_instant(name)} AS TIMESTAMPTZ)"
            yield f"{identifier(ref_relation(name))} AS NOT MATERIALIZED ({select})"

    # All of it -----------------------------------------------------------------------------------------------------

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the features, in order: aggregations, the query's columns, expressions.

        Raises:
            InvalidData: Two have one name, or one has a name that is taken.
        """
        document, keys = self.definition.document, self.definition.entity
        found = [one.name for one in document.aggregations]
        found += [column for column in self.query_columns if column not in keys]
        found += [one.name for one in document.expressions]
        seen = {AS_OF, *(key.lower() for key in keys)}
        for name in found:
            if name.lower() in seen or name.startswith("__"):
                reason = f"{self.place}: `{name}` cannot be the name of a feature, or of two"
                raise InvalidData(reason, "rename it")
            seen.add(name.lower())
        return tuple(found)

    @property
    def columns(self) -> tuple[str, ...]:
        """The entity's columns and the features: what a row holds besides its instant."""
        return (*self.definition.entity, *self.features)

    @cached_property
    def expressions(self) -> dict[str, Scalar]:
        """The checked expressions, each over the features before it."""
        document = self.definition.document
        known = list(self.columns[: len(self.columns) - len(document.expressions)])
        checked: dict[str, Scalar] = {}
        for one in document.expressions:
            checked[one.name] = check_scalar(one.sql, known, f"{self.place}, `{one.name}`")
            known.append(one.name)
        return checked

    @cached_property
    def values(self) -> str:
        """Entity, instant and all features, over the relations `aggregated` and `queried`."""
        select = self._together()
        for name, expression in self.expressions.items():
            select = f"SELECT *, {expression.sql} AS {identifier(name)} FROM ({select})"
        return select

    def _together(self) -> str:
        document, keys = self.definition.document, [*self.definition.entity, AS_OF]
        if self.query is None or not document.aggregations:
            return f"SELECT * FROM {AGGREGATED if self.query is None else QUERIED}"
        # A count of nothing is 0, also for an entity that the query alone knows.
        counted = (
            f"coalesce({identifier(one.name)}, 0) AS {identifier(one.name)}"
            if one.how.startswith("count")
            else identifier(one.name)
            for one in document.aggregations
        )
        features = [column for column in self.query_columns if column not in keys]
        columns = ", ".join([identifiers(keys), *counted, *map(identifier, features)])
        return f"SELECT {columns} FROM {AGGREGATED} FULL JOIN {QUERIED} USING ({identifiers(keys)})"

    @property
    def statement(self) -> str:
        """The whole as one statement for one instant, `$as_of`: for people to read and to try."""
        moment = f"CAST(${AS_OF} AS TIMESTAMPTZ)"
        parts = []
        if self.definition.document.aggregations:
            parts.append(f"{INSTANTS} AS (SELECT {moment} AS as_of)")
            parts.append(f"{AGGREGATED} AS ({self._aggregated(f'{moment} - {_interval(self.horizon)}', moment)})")
        if self.queried is not None:
            parts.append(f"{QUERIED} AS ({self.queried})")
        return f"WITH {', '.join(parts)} {self.values}"


def compile_set(definition: FeatureSetDefinition) -> CompiledSet:
    """Compile a definition, and everything in it, so that what is wrong with it is said now.

    Raises:
        InvalidData: An expression, a condition or the query does what it may not.
    """
    compiled = CompiledSet(definition)
    _ = compiled.aggregated, compiled.queried, compiled.values
    return compiled


def ordered(definitions: Sequence[FeatureSetDefinition]) -> list[FeatureSetDefinition]:
    """Definitions with all that they refer to, each once, what is referred to first."""
    found: dict[str, FeatureSetDefinition] = {}
    for definition in definitions:
        for ref in ordered(tuple(definition.refs.values())):
            found.setdefault(ref.name, ref)
        found.setdefault(definition.name, definition)
    return list(found.values())


def _start(window: timedelta) -> str:
    return identifier(f"__since_{format_duration(window)}")


def _interval(window: timedelta) -> str:
    """A duration in SQL; the session's zone is UTC, where a day has 24 hours."""
    written = format_duration(window)
    unit = written.lstrip("0123456789")
    return f"INTERVAL {text(f'{written.removesuffix(unit)} {_UNITS[unit]}')}"
