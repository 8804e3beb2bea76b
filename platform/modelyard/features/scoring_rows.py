"""The rows that a model scores on a day: its population, with the features that are known at the day's first moment.

It is the join that training sets are made with, so a model sees the same in both.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.canonical import digest
from modelyard.config.kinds.base import as_keys
from modelyard.errors import InvalidData, NotFound
from modelyard.features.compile import known_of, known_rows, rows_relation, time_of, values_relation
from modelyard.features.engine import SourceRows, count_rows
from modelyard.features.feature_columns import ColumnFeatures, SetFeatures, entity_of, features_of
from modelyard.features.partitions import dataset_of, grid_of, manifests_of, partition_rows
from modelyard.features.point_in_time import MOMENT, ROW, join_table, values_at
from modelyard.features.quoting import identifier, identifiers, present
from modelyard.features.sql import check_scalar
from modelyard.local_days import day_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from modelyard.config.definitions import ModelDefinition
    from modelyard.config.kinds.model import Population
    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.features.engine import Engine, Relation, Session
    from modelyard.registry.records import FeatureSetPin

POPULATION = "population"


@dataclass(frozen=True)
class ScoringRows:
    """The rows of one day, to be read once, while they are open."""

    as_of: datetime
    """The moment as of which features are known: the day's first in the model's timezone."""
    entity: tuple[str, ...]
    """The columns that say whom a row is about."""
    features: dict[str, str]
    """Feature → number, category or boolean, in the model's order."""
    rows: int
    """How many there are."""
    digest: str
    """Over the partitions that values come from, the population, and what plain tables gave."""
    schema: pa.Schema
    """The columns of a batch."""
    batches: Iterator[pa.RecordBatch]
    """Entity and features, in the order of the entity; nulls where nothing is known."""


@contextmanager
def scoring_rows(
    definition: ModelDefinition,
    pins: Mapping[str, FeatureSetPin],
    day: date,
    *,
    engine: Engine,
    datasets: DatasetStore,
    batch: int,
) -> Iterator[ScoringRows]:
    """Open the rows that a model scores on a day; memory does not grow with their number.

    Args:
        definition: The model.
        pins: The versions of its feature sets, by name.
        day: The day.
        engine: What computes.
        datasets: Where partitions are published.
        batch: The most rows of a batch.

    Raises:
        NotFound: A feature set has no values as of that day.
        InvalidData: The model has no population, or the sources' rows are not as declared.
    """
    if definition.document.scoring is None:
        reason = f"model `{definition.name}` has no population"
        raise InvalidData(reason, "say whom it scores: scoring.population")
    population, keys = definition.document.scoring.population, entity_of(definition)
    moment, features = day_start(day, definition.timezone), _features(definition)
    manifests = {
        one.definition.name: _manifest(one, pins[one.definition.name], moment, datasets)
        for one in features
        if isinstance(one, SetFeatures)
    }
    kinds = _kinds(features, manifests)
    with engine.session(_relations(definition, population, features, manifests, datasets)) as session:
        rows = _make_population(session, definition, population, moment)
        joins = {f"joined_{number}": one for number, one in enumerate(features)}
        given = []
        for name, one in joins.items():
            if isinstance(one, ColumnFeatures):
                join_table(session, POPULATION, one.source, keys, one.names, name)
                given.append(name)
        sql = _select(keys, joins, moment)
        content = {
            "partitions": [f"{one.dataset}/{one.partition} {one.digest}" for one in manifests.values()],
            "rows": [_content(session, table) for table in (POPULATION, *given)],
        }
        schema = session.fetch(f"SELECT * FROM ({sql}) LIMIT 0").schema
        yield ScoringRows(moment, keys, kinds, rows, digest(content), schema, session.batches(sql, rows=batch))


def _features(definition: ModelDefinition) -> list[SetFeatures | ColumnFeatures]:
    """The model's features; the label's own row is not there yet, so its columns are those of the latest one."""
    return [replace(one, same_row=False) if isinstance(one, ColumnFeatures) else one for one in features_of(definition)]


def _kinds(features: Sequence[SetFeatures | ColumnFeatures], manifests: Mapping[str, Manifest]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in features:
        known = one.kinds if isinstance(one, ColumnFeatures) else manifests[one.definition.name].details["features"]
        found |= {name: known[name] for name in one.names}
    return found


def _relations(
    definition: ModelDefinition,
    population: Population,
    features: Sequence[SetFeatures | ColumnFeatures],
    manifests: Mapping[str, Manifest],
    datasets: DatasetStore,
) -> dict[str, Relation]:
    tables = [one.source for one in features if isinstance(one, ColumnFeatures)]
    found: dict[str, Relation] = {
        rows_relation(source.name): SourceRows(source) for source in (definition.sources[population.source], *tables)
    }
    return found | {values_relation(name): partition_rows([one], datasets) for name, one in manifests.items()}


def _select(keys: Sequence[str], joins: Mapping[str, SetFeatures | ColumnFeatures], moment: datetime) -> str:
    """The population with its features, in its order.

    All rows have one moment, so of each feature set one instant counts: its rows are joined as they are read, where the
    joins of training sets first look for each row's own instant.
    """
    columns, tables = [identifiers(keys, POPULATION)], [POPULATION]
    for name, one in joins.items():
        columns.append(identifiers(one.names, name))
        if isinstance(one, ColumnFeatures):
            tables.append(f"{name} USING ({ROW})")
            continue
        own = one.definition.entity
        equal = " AND ".join(f"{POPULATION}.{identifier(key)} = {name}.{identifier(key)}" for key in own)
        values = values_at(one.definition, [*own, *one.names], moment)
        tables.append(f"({values}) AS {name} ON {equal}")
    return f"SELECT {', '.join(columns)} FROM {' LEFT JOIN '.join(tables)} ORDER BY {POPULATION}.{ROW}"


def _content(session: Session, table: str) -> str:
    """A number that is the same for the same rows, in whatever order."""
    return str(
        session.fetch(f"SELECT CAST(sum(hash(t)) AS VARCHAR) AS content FROM {table} AS t")["content"][0].as_py()
    )


def _manifest(features: SetFeatures, pin: FeatureSetPin, moment: datetime, datasets: DatasetStore) -> Manifest:
    """The partition that holds a feature set's latest instant at a moment.

    Raises:
        NotFound: It is not published, or not up to that instant.
    """
    grid = grid_of(features.definition)
    instant = grid.at_or_before(moment)
    manifest = manifests_of(pin, [grid.day(instant)], datasets)[0]
    if instant.isoformat() not in manifest.details["instants"]:
        reason = f"{dataset_of(pin)} was published before {instant.isoformat()} came"
        command = f"modelyard features materialise {pin.name} --version {pin.version} --as-of {grid.day(instant)}"
        raise NotFound(reason, command)
    return manifest


def _make_population(session: Session, definition: ModelDefinition, population: Population, moment: datetime) -> int:
    """Make the table of whom the model scores: each entity once, as its latest row says; how many there are."""
    source, keys = definition.sources[population.source], as_keys(population.entity)
    names = identifiers(keys)
    rows = (
        f"SELECT *, row_number() OVER () AS __place FROM {identifier(rows_relation(source.name))} WHERE {present(keys)}"
    )
    if source.timestamp is not None:
        latest = f"{time_of(source)} DESC, {known_of(source)} DESC, __place DESC"
        rows = (
            f"SELECT * FROM ({rows} AND {known_rows(source, 'CAST($moment AS TIMESTAMPTZ)')}) "
            f"QUALIFY row_number() OVER (PARTITION BY {names} ORDER BY {latest}) = 1"
        )
    where = "TRUE"
    if population.where is not None:
        place = f"model `{definition.name}`, scoring.population.where"
        where = check_scalar(population.where, source.columns, place).sql
    distinct = f"SELECT DISTINCT {names} FROM ({rows}) WHERE {where}"
    numbered = f"SELECT *, row_number() OVER (ORDER BY {names}) AS {ROW}, CAST($moment AS TIMESTAMPTZ) AS {MOMENT}"
    session.create(POPULATION, f"{numbered} FROM ({distinct})", {"moment": moment})
    return count_rows(session, POPULATION)
