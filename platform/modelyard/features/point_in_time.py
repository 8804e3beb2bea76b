"""What was known of an entity at a moment, joined to rows that each have theirs.

The left side is a relation with `__row` (a number of its own for each row), the entity's columns and `__moment`. Each
join makes a table of `__row` and what it found; rows without a find are absent from it. Joins are made one after the
other, so that one of them is in memory at a time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData
from modelyard.features.compile import known_of, rows_relation, time_of, values_relation
from modelyard.features.feature_columns import ColumnFeatures, SetFeatures
from modelyard.features.partitions import grid_of
from modelyard.features.quoting import identifier, identifiers, present, text
from modelyard.features.templates import AS_OF

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.config.kinds import Source
    from modelyard.features.engine import Session

ROW = "__row"
MOMENT = "__moment"
_MICROSECOND = timedelta(microseconds=1)


def join_features(
    session: Session, left: str, keys: Sequence[str], features: Sequence[SetFeatures | ColumnFeatures]
) -> list[str]:
    """Join features, those of the left side's own rows left out: the tables that were made, one for each.

    Args:
        session: Has the relations of the values and of the tables.
        left: The left side.
        keys: The entity's columns.
        features: The features.
    """
    made = []
    for number, one in enumerate(features):
        into = f"joined_{number}"
        if isinstance(one, SetFeatures):
            join_values(session, left, one.definition, one.names, into)
        elif not one.same_row:
            join_table(session, left, one.source, keys, one.names, into)
        else:
            continue
        made.append(into)
    return made


def side_by_side(left: str, columns: str, tables: Sequence[str]) -> str:
    """A SELECT of the left side's rows with what was joined to them, in the order of the rows."""
    joined = " ".join(f"LEFT JOIN {table} USING ({ROW})" for table in tables)
    return f"SELECT {columns} FROM {left} {joined} ORDER BY {ROW}"


def instants_of(session: Session, left: str, definition: FeatureSetDefinition) -> list[datetime]:
    """The latest instants of a feature set at or before the moments of the left side's rows, in order."""
    _put_instants(session, left, definition)
    found = session.fetch(f"SELECT DISTINCT as_of FROM ({_with_instants(left, definition)}) ORDER BY as_of")
    instants: list[datetime] = found[AS_OF].to_pylist()
    return instants


def join_values(
    session: Session, left: str, definition: FeatureSetDefinition, features: Sequence[str], into: str
) -> None:
    """Join the published values of a feature set: of each row's entity, at the latest instant, and no older one.

    An instant that is older than the set's ttl by then gives nothing.

    Args:
        session: Has the relation of the set's values.
        left: The left side.
        definition: The feature set.
        features: The features to take.
        into: The table to make.
    """
    _put_instants(session, left, definition)
    keys = definition.entity
    equal = " AND ".join(f"l.{identifier(key)} = v.{identifier(key)}" for key in (*keys, AS_OF))
    young = f"l.{MOMENT} <= l.as_of + to_microseconds({definition.document.ttl // _MICROSECOND})"
    session.create(
        into,
        f"SELECT l.{ROW}, {identifiers(features, 'v')} FROM ({_with_instants(left, definition)}) AS l "
        f"JOIN {identifier(values_relation(definition.name))} AS v ON {equal} WHERE {young}",
    )


def values_at(definition: FeatureSetDefinition, columns: Sequence[str], moment: datetime) -> str:
    """The values of a feature set that `join_values` gives to every row of one moment, as a SELECT.

    Args:
        definition: The feature set.
        columns: The columns to take.
        moment: The moment.
    """
    instant = grid_of(definition).at_or_before(moment)
    young = moment <= instant + definition.document.ttl
    at = f"{AS_OF} = TIMESTAMPTZ {text(instant.isoformat())}" if young else "FALSE"
    return f"SELECT {identifiers(columns)} FROM {identifier(values_relation(definition.name))} WHERE {at}"


def _put_instants(session: Session, left: str, definition: FeatureSetDefinition) -> None:
    import pyarrow as pa

    bounds = session.fetch(f"SELECT min({MOMENT}) AS first, max({MOMENT}) AS last FROM {left}").to_pylist()[0]
    known = [] if bounds["first"] is None else list(grid_of(definition).between(bounds["first"], bounds["last"]))
    session.put(_instants(definition), pa.table({AS_OF: pa.array(known, pa.timestamp("us", "UTC"))}))


def _instants(definition: FeatureSetDefinition) -> str:
    return f"instants:{definition.name}"


def _with_instants(left: str, definition: FeatureSetDefinition) -> str:
    return (
        f"SELECT l.{ROW}, l.{MOMENT}, {identifiers(definition.entity, 'l')}, i.as_of FROM {left} AS l "
        f"ASOF JOIN {identifier(_instants(definition))} AS i ON l.{MOMENT} >= i.as_of"
    )


def join_table(
    session: Session, left: str, source: Source, keys: Sequence[str], columns: Sequence[str], into: str
) -> None:
    """Join an entity's latest row of a plain table, as known at each row's moment.

    Of rows with one timestamp, the one that became known last counts. A table without timestamps is always known, and
    must have one row for each entity.

    Args:
        session: Has the relation of the source's rows.
        left: The left side.
        source: The table.
        keys: The entity's columns.
        columns: The columns to take.
        into: The table to make.

    Raises:
        InvalidData: A table without timestamps has several rows for an entity.
    """
    if source.timestamp is None:
        _join_static(session, left, source, keys, columns, into)
    else:
        _join_latest(session, left, source, keys, columns, into)


def _join_static(
    session: Session, left: str, source: Source, keys: Sequence[str], columns: Sequence[str], into: str
) -> None:
    rows, names = identifier(rows_relation(source.name)), identifiers(keys)
    several = f"SELECT {names}, count(*) AS __rows FROM {rows} WHERE {present(keys)} GROUP BY ALL HAVING count(*) > 1"
    for row in session.fetch(f"{several} ORDER BY ALL LIMIT 1").to_pylist():
        count = row.pop("__rows")
        who = ", ".join(f"{key} {value!r}" for key, value in row.items())
        reason = f"source `{source.name}`: there are {count} rows for {who}, and no timestamp says which is the latest"
        raise InvalidData(reason, "name the source's `timestamp`, or keep one row for each entity")
    select = f"SELECT l.{ROW}, {identifiers(columns, 'r')} FROM {left} AS l JOIN {rows} AS r ON {_equal(keys)}"
    session.create(into, select)


def _join_latest(
    session: Session, left: str, source: Source, keys: Sequence[str], columns: Sequence[str], into: str
) -> None:
    """A row is visible from its timestamp on, or from when it became known if that is later.

    At each moment at which something becomes visible, the latest of all that are visible by then is found; each row of
    the left side takes what was found last. So a row that arrives late hides no later one that is known already.
    """
    rows = identifier(rows_relation(source.name))
    names, time, known = identifiers(keys), time_of(source), known_of(source)
    seen = f"greatest({time} + INTERVAL '1 microsecond', {known})"  # a row counts from the moment after its timestamp
    there = f"{present(keys)} AND {time} IS NOT NULL AND {known} IS NOT NULL"
    stored, latest = identifier(f"{into}:rows"), identifier(f"{into}:latest")
    stored_columns = ", ".join(f"{identifier(column)} AS {identifier(f'__{column}')}" for column in columns)
    session.create(
        f"{into}:rows",
        f"SELECT {names}, {time} AS __time, {known} AS __known, {seen} AS __seen, row_number() OVER () AS __id, "
        f"{stored_columns} "
        f"FROM {rows} WHERE {there}",
    )
    session.create(
        f"{into}:latest",
        f"SELECT {names}, __seen, max({{'time': __time, 'known': __known, 'id': __id}}) "
        f"OVER (PARTITION BY {names} ORDER BY __seen RANGE UNBOUNDED PRECEDING) AS __latest FROM {stored}",
    )
    taken = ", ".join(f"s.{identifier(f'__{column}')} AS {identifier(column)}" for column in columns)
    session.create(
        into,
        f"SELECT f.{ROW}, {taken} FROM (SELECT l.{ROW}, r.__latest.id AS __id FROM {left} AS l "
        f"ASOF JOIN {latest} AS r ON {_equal(keys)} AND l.{MOMENT} >= r.__seen) AS f JOIN {stored} AS s USING (__id)",
    )
    session.drop(f"{into}:rows")
    session.drop(f"{into}:latest")


def _equal(keys: Sequence[str]) -> str:
    return " AND ".join(f"l.{identifier(key)} = r.{identifier(key)}" for key in keys)
