"""Whether sources and partitions are as they should be on a day: there, as expected, and of the usual size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData, ModelyardError
from modelyard.features.audits import audit_published, audit_source
from modelyard.features.compile import known_rows, rows_relation, time_of
from modelyard.features.engine import SourceRows, count_rows
from modelyard.features.instants import DAY
from modelyard.features.partitions import dataset_of, grid_of, manifests_of
from modelyard.features.quoting import identifier
from modelyard.local_days import day_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date, datetime

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.config.kinds import Source
    from modelyard.datasets.expectations import AuditResult
    from modelyard.datasets.store import DatasetStore
    from modelyard.features.engine import Engine
    from modelyard.registry.records import FeatureSetPin

USUAL_DAYS = 7
"""How many days before say what is usual; a week holds each weekday once."""


@dataclass(frozen=True)
class Checked:
    """What was seen of a source or of a partition."""

    place: str
    ok: bool
    """Whether it can be used."""
    rows: int
    """Of the day before the moment for a source with times, else all; of the partition for a feature set."""
    usual: float | None
    """The median of the days before; None where there are none."""
    detail: str
    """What is wrong with it, or unexpected."""


def check_sources(sources: Iterable[Source], engine: Engine, at: datetime) -> Iterator[Checked]:
    """Check sources as known at a moment.

    Args:
        sources: The sources.
        engine: What reads them.
        at: The moment.
    """
    for source in sources:
        place = f"source `{source.name}`"
        try:
            rows, usual = _rows_of_source(source, engine, at)
            yield Checked(place, True, rows, usual, _unexpected(audit_source(source, engine, until=at)))
        except InvalidData as error:
            yield Checked(place, False, 0, None, str(error.reason))


def _rows_of_source(source: Source, engine: Engine, at: datetime) -> tuple[int, float | None]:
    """The known rows of the last day, and of the days before it in the median; all rows of a source without times."""
    rows = identifier(rows_relation(source.name))
    with engine.session({rows_relation(source.name): SourceRows(source)}) as session:
        if source.timestamp is None:
            return count_rows(session, rows_relation(source.name)), None
        moment, microseconds = "CAST($at AS TIMESTAMPTZ)", DAY // timedelta(microseconds=1)
        ago = f"(epoch_us({moment}) - epoch_us({time_of(source)}) - 1) // {microseconds}"
        counted = session.fetch(
            f"SELECT {ago} AS days, count(*) AS rows FROM {rows} WHERE {known_rows(source, moment)} "
            f"AND {time_of(source)} >= {moment} - INTERVAL '{USUAL_DAYS + 1} days' GROUP BY ALL",
            {"at": at},
        )
    days = dict(zip(counted["days"].to_pylist(), counted["rows"].to_pylist(), strict=True))
    before = [days.get(number, 0) for number in range(1, USUAL_DAYS + 1)]
    return days.get(0, 0), float(median(before)) if any(before) else None


def check_partitions(
    definitions: Iterable[FeatureSetDefinition], pins: Mapping[str, FeatureSetPin], datasets: DatasetStore, day: date
) -> Iterator[Checked]:
    """Check the partitions that hold feature sets' values as of a day.

    Args:
        definitions: The feature sets.
        pins: Their versions, by name.
        datasets: Where values are published.
        day: The day.
    """
    for definition in definitions:
        pin, grid = pins[definition.name], grid_of(definition)
        partition = grid.day(grid.at_or_before(day_start(day, definition.timezone)))
        place = f"{dataset_of(pin)} of {partition}"
        try:
            manifest = manifests_of(pin, [partition], datasets)[0]
            datasets.verify(manifest)
            audit = audit_published(definition.document.expectations, manifest, datasets)
            ok = not audit.failures("critical")
            yield Checked(place, ok, manifest.rows, _usual_rows(pin, partition, datasets), _unexpected(audit))
        except ModelyardError as error:
            yield Checked(place, False, 0, None, str(error.reason))


def _usual_rows(pin: FeatureSetPin, partition: date, datasets: DatasetStore) -> float | None:
    before = [day for day in datasets.partitions(dataset_of(pin)) if day < partition.isoformat()][-USUAL_DAYS:]
    manifests = [datasets.manifest(dataset_of(pin), day) for day in before]
    return float(median(one.rows for one in manifests if one is not None)) if before else None


def _unexpected(audit: AuditResult) -> str:
    return "; ".join(f"{failure.severity}: {failure.words}" for failure in audit.failures())
