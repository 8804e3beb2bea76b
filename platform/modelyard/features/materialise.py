"""Values of feature sets, computed, audited and published: a day or a range, whatever is not there yet.

A range is computed in passes of so many days that memory and files stay bounded. Each pass writes one file, which its
days share; each day is published by itself, once its own audit has passed. So a process that dies loses one pass at
most, and the next one goes on from what is published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData
from modelyard.features.audits import audit_partitions, audit_source
from modelyard.features.compile import (
    AGGREGATED,
    INSTANTS,
    QUERIED,
    SINCE,
    UNTIL,
    CompiledSet,
    compile_set,
    ref_instant,
    rows_relation,
    time_of,
    values_relation,
)
from modelyard.features.engine import SQL_TYPES, SourceRows
from modelyard.features.partitions import KINDS, dataset_of, grid_of, manifests_of, partition_rows
from modelyard.features.quoting import identifier, identifiers
from modelyard.features.templates import AS_OF
from modelyard.local_days import day_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.datasets.expectations import AuditResult
    from modelyard.datasets.store import DatasetStore, Staging
    from modelyard.features.engine import Engine, Relation, Session
    from modelyard.features.instants import Grid
    from modelyard.registry.records import FeatureSetPin

Progress = Callable[[int], None]
"""Told how many partitions were published just now."""

DAYS_A_PASS = 32
ROWS_A_PASS = 1_000_000
"""Rows of values that are computed at once: some hundred bytes of running aggregates each."""


@dataclass(frozen=True)
class Work:
    """What there is to do for a feature set."""

    definition: FeatureSetDefinition
    missing: tuple[date, ...]
    """The days to compute."""
    existing: tuple[date, ...]
    """The days that are published already."""


@dataclass(frozen=True)
class MaterialiseResult:
    """What became of a feature set."""

    feature_set: str
    version: int
    published: tuple[date, ...]
    existing: tuple[date, ...]
    rows: int
    """In the partitions that were published."""
    audits: tuple[AuditResult, ...]
    """Of its sources and of its partitions; nothing critical is among their failures."""


def plan_days(
    definition: FeatureSetDefinition,
    pins: Mapping[str, FeatureSetPin],
    days: Iterable[date],
    datasets: DatasetStore,
    *,
    now: datetime,
    force: bool = False,
) -> tuple[Work, ...]:
    """What there is to do for some days of a feature set: first for those that it refers to, last for itself.

    Args:
        definition: The feature set.
        pins: The versions of the set and of all that it refers to.
        days: The days; those on which the set has no instants are passed over.
        datasets: Where values are published.
        now: Instants after this moment have no values yet; a day is published again when more of its instants came.
        force: Compute days of the set itself that are published already, too.

    Raises:
        InvalidData: A day has not begun, or a set is not defined as the version is that is pinned.
    """
    grid, dataset = grid_of(definition), dataset_of(_pin_of(definition, pins))
    due = {day: _due(grid, day, now) for day in sorted(set(days)) if grid.instants(day)}
    for day, instants in due.items():
        if not instants:
            reason = f"feature set `{definition.name}` has no values as of {day}: that day has not begun"
            raise InvalidData(reason, "values are computed once their day is there")
    published = set(datasets.partitions(dataset))
    there = [
        day for day in due if not force and day.isoformat() in published and _is_whole(datasets, dataset, day, due[day])
    ]
    missing = [day for day in due if day not in set(there)]
    before: list[Work] = []
    for ref in definition.refs.values():
        ref_grid = grid_of(ref)
        ref_days = ref_grid.days_of(ref_grid.at_or_before(instant) for day in missing for instant in due[day])
        before += plan_days(ref, pins, ref_days, datasets, now=now)
    return (*before, Work(definition, tuple(missing), tuple(there)))


def _pin_of(definition: FeatureSetDefinition, pins: Mapping[str, FeatureSetPin]) -> FeatureSetPin:
    """The version that a definition's values are published under."""
    pin = pins[definition.name]
    if pin.digest != definition.digest:
        reason = f"feature set `{definition.name}` is not defined as version {pin.version} of it is"
        raise InvalidData(reason, "apply the project again, and train anew")
    return pin


def _due(grid: Grid, day: date, now: datetime) -> list[datetime]:
    return [instant for instant in grid.instants(day) if instant <= now]


def _is_whole(datasets: DatasetStore, dataset: str, day: date, due: Sequence[datetime]) -> bool:
    """Whether a published day holds every instant that is due; one with a single instant always does."""
    manifest = datasets.manifest(dataset, day.isoformat()) if len(due) > 1 else None
    return len(due) == 1 or (manifest is not None and len(manifest.details["instants"]) >= len(due))


def materialise(  # noqa: PLR0913 - what it works with, and three choices that calls name
    definition: FeatureSetDefinition,
    pins: Mapping[str, FeatureSetPin],
    days: Iterable[date],
    *,
    engine: Engine,
    datasets: DatasetStore,
    force: bool = False,
    now: datetime | None = None,
    progress: Progress = lambda _partitions: None,
) -> tuple[MaterialiseResult, ...]:
    """Compute and publish what is missing of a feature set's values, and of those that it refers to.

    If the process dies, whole days are published or not at all, and the next call goes on. Several processes may do the
    same at once: each publishes whole days, of which one wins.

    Args:
        definition: The feature set.
        pins: The versions of the set and of all that it refers to.
        days: The days whose partitions are wanted.
        engine: What computes.
        datasets: Where values are published.
        force: Compute days of the set itself that are published already, too.
        now: Instants after this moment have no values yet; this machine's clock unless said.
        progress: Told as partitions are published.

    Returns:
        A result for each set, the last one for the set itself.

    Raises:
        InvalidData: The definition, the sources' rows, or a partition is not as it must be. Days that passed their
            audit stay published.
    """
    now = now or datetime.now(UTC)
    results = []
    for work in plan_days(definition, pins, days, datasets, now=now, force=force):
        compiled = compile_set(work.definition)
        pin = pins[work.definition.name]
        run = _Materialisation(compiled, pins, pin, engine, datasets, now=now, force=force, progress=progress)
        results.append(run.run(work))
    return tuple(results)


@dataclass(frozen=True)
class _Materialisation:
    compiled: CompiledSet
    pins: Mapping[str, FeatureSetPin]
    pin: FeatureSetPin
    engine: Engine
    datasets: DatasetStore
    now: datetime
    force: bool
    progress: Progress

    def run(self, work: Work) -> MaterialiseResult:
        audits = self._audit_sources(work.missing) if work.missing else []
        rows = 0
        for days in self._passes(work.missing):
            published, found = self._pass(days)
            rows += published
            audits += found
        return MaterialiseResult(self.pin.name, self.pin.version, work.missing, work.existing, rows, tuple(audits))

    def _audit_sources(self, days: Sequence[date]) -> list[AuditResult]:
        instants = self._instants(days)
        # A query may look as far back as it likes.
        since = instants[0] - self.compiled.horizon if self.compiled.query is None else None
        sources = self.compiled.definition.sources.values()
        audits = [audit_source(source, self.engine, since=since, until=instants[-1]) for source in sources]
        return [audit for audit in audits if audit.results]

    def _instants(self, days: Iterable[date]) -> list[datetime]:
        grid = grid_of(self.compiled.definition)
        return [instant for day in days for instant in _due(grid, day, self.now)]

    # Passes --------------------------------------------------------------------------------------------------------

    def _passes(self, days: Sequence[date]) -> Iterator[tuple[date, ...]]:
        """The days in groups that are computed together."""
        most = max(ROWS_A_PASS // max(self._entities(days), 1), 1) if len(days) > 1 else 1
        group: list[date] = []
        for day in days:
            if group and (len(group) == DAYS_A_PASS or len(self._instants([*group, day])) > most):
                yield tuple(group)
                group = []
            group.append(day)
        if group:
            yield tuple(group)

    def _entities(self, days: Sequence[date]) -> int:
        """About how many rows an instant has; a query's are not known before it has run."""
        compiled = self.compiled
        if compiled.aggregated is None:
            return 1
        instants = self._instants(days)
        time = time_of(compiled.source)
        sql = (
            f"SELECT approx_count_distinct(({identifiers(compiled.definition.entity)})) AS entities "
            f"FROM {identifier(rows_relation(compiled.source.name))} WHERE {time} >= ${SINCE} AND {time} < ${UNTIL}"
        )
        with self.engine.session(self._relations(())) as session:
            return int(session.fetch(sql, self._bounds(instants))["entities"][0].as_py())

    def _bounds(self, instants: Sequence[datetime]) -> dict[str, datetime]:
        return {SINCE: instants[0] - self.compiled.horizon, UNTIL: instants[-1]}

    def _relations(self, days: Sequence[date]) -> dict[str, Relation]:
        definition = self.compiled.definition
        found: dict[str, Relation] = {rows_relation(name): SourceRows(one) for name, one in definition.sources.items()}
        for name, ref in definition.refs.items():
            if days:
                grid = grid_of(ref)
                ref_days = grid.days_of(map(grid.at_or_before, self._instants(days)))
                manifests = manifests_of(self.pins[name], ref_days, self.datasets)
                found[values_relation(name)] = partition_rows(manifests, self.datasets)
        return found

    def _pass(self, days: Sequence[date]) -> tuple[int, list[AuditResult]]:
        """Compute some days into one file, audit each, publish those that pass."""
        instants = self._instants(days)
        with self.datasets.stage(dataset_of(self.pin)) as staging:
            file = staging.path / "part-0.parquet"
            with self.engine.session(self._relations(days), writable=staging.path) as session:
                self._compute(session, instants)
                kinds = _write(session, self.compiled, file)
            ranges = {day: _range(day, self.compiled.definition.timezone) for day in days}
            document = self.compiled.definition.document
            audits = audit_partitions(document.expectations, file, ranges, self.compiled.place)
            passed = [day for day in days if not audits[day].failures("critical")]
            rows = sum(self._publish(staging, day, ranges[day], audits[day], kinds, len(days)) for day in passed)
        for day in days:
            audits[day].raise_for_critical()
        return rows, [audit for audit in audits.values() if audit.results]

    def _compute(self, session: Session, instants: Sequence[datetime]) -> None:
        import pyarrow as pa

        compiled = self.compiled
        if compiled.aggregated is not None:
            session.put(INSTANTS, pa.table({AS_OF: pa.array(instants, pa.timestamp("us", "UTC"))}))
            session.create(AGGREGATED, compiled.aggregated, self._bounds(instants))
        if compiled.queried is not None:
            for number, instant in enumerate(instants):
                make = session.append if number else session.create
                make(QUERIED, compiled.queried, {AS_OF: instant, **self._ref_instants(instant)})
            _check_queried(session, compiled)

    def _ref_instants(self, instant: datetime) -> dict[str, datetime | None]:
        """The instant of each set that is referred to; none where its values are too old by then."""
        found: dict[str, datetime | None] = {}
        for name, ref in self.compiled.definition.refs.items():
            latest = grid_of(ref).at_or_before(instant)
            found[ref_instant(name)] = latest if instant - latest <= ref.document.ttl else None
        return found

    def _publish(
        self,
        staging: Staging,
        day: date,
        where: dict[str, tuple[str, str]],
        audit: AuditResult,
        kinds: dict[str, str],
        days: int,
    ) -> int:
        """Publish a day; its rows. One that somebody else published in the meantime is as good."""
        dataset, partition = dataset_of(self.pin), day.isoformat()
        manifest = None if self.force else self.datasets.manifest(dataset, partition)
        instants = [instant.isoformat() for instant in self._instants([day])]
        if manifest is None or manifest.details["instants"] != instants:
            details: dict[str, Any] = {"instants": instants, "features": kinds, "audit": audit.content()}
            manifest = staging.publish(partition, where=where if days > 1 else None, details=details)
        self.progress(1)
        return manifest.rows


def _range(day: date, timezone: str) -> dict[str, tuple[str, str]]:
    return {AS_OF: (day_start(day, timezone).isoformat(), day_start(day + timedelta(days=1), timezone).isoformat())}


def _check_queried(session: Session, compiled: CompiledSet) -> None:
    """A query's rows join the aggregations' on the entity, so each entity has one, of the same type."""
    keys = identifiers([*compiled.definition.entity, AS_OF])
    sql = f"SELECT {keys}, count(*) AS __rows FROM {QUERIED} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
    for row in session.fetch(sql).to_pylist():
        instant, rows = row.pop(AS_OF), row.pop("__rows")
        who = ", ".join(f"{key} {value!r}" for key, value in row.items())
        reason = f"{compiled.place}, query: it returns {rows} rows for {who} as of {instant.isoformat()}"
        raise InvalidData(reason, "an entity has one row: GROUP BY it, or take its latest row with QUALIFY")
    if compiled.aggregated is not None:
        types = [session.columns(f"SELECT {keys} FROM {relation}") for relation in (AGGREGATED, QUERIED)]
        if types[0] != types[1]:
            reason = f"{compiled.place}: the entity is {types[0]} in the aggregations and {types[1]} in the query"
            raise InvalidData(reason, "cast it in the query")


def _write(session: Session, compiled: CompiledSet, file: Path) -> dict[str, str]:
    """Write the values in order, each feature in one of the types that models know; what kind each feature is."""
    types = session.columns(compiled.values)
    kinds = {}
    columns = identifiers([*compiled.definition.entity, AS_OF]).split(", ")
    for name in compiled.features:
        if types[name] not in KINDS:
            reason = f"{compiled.place}: `{name}` is of type {types[name]}, which is no feature"
            raise InvalidData(reason, "features are numbers, text or booleans; take date_diff or extract of a time")
        kinds[name] = KINDS[types[name]]
        columns.append(f"CAST({identifier(name)} AS {SQL_TYPES[types[name]]}) AS {identifier(name)}")
    order = identifiers([AS_OF, *compiled.definition.entity])
    session.write(f"SELECT {', '.join(columns)} FROM ({compiled.values}) ORDER BY {order}", file)
    return kinds
