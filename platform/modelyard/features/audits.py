"""What is checked before rows are used: sources before they are read, partitions before they are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.datasets.audit import audit
from modelyard.datasets.expectations import ROW_BY_ROW, AuditResult
from modelyard.datasets.parquet import read_batches, schema
from modelyard.features.compile import rows_relation, time_of
from modelyard.features.engine import SourceRows
from modelyard.features.quoting import identifier, identifiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from modelyard.config.kinds import Expectation, Source
    from modelyard.datasets.parquet import Where
    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.features.engine import Engine, Session


def audit_source(
    source: Source, engine: Engine, *, since: datetime | None = None, until: datetime | None = None
) -> AuditResult:
    """Check a source's expectations.

    Args:
        source: The source.
        engine: What reads it.
        since: Rows before this moment are not looked at; rows without a time always are.
        until: Rows from this moment on are not looked at.

    Raises:
        InvalidData: An expectation of severity critical does not hold, or cannot be checked.
    """
    place = f"source `{source.name}`"
    if not source.expectations:
        return AuditResult(place)
    with engine.session({rows_relation(source.name): SourceRows(source)}) as session:
        result = audit(source.expectations, _RowsOfSource(session, source, since, until), place)
    result.raise_for_critical()
    return result


@dataclass(frozen=True)
class _RowsOfSource:
    session: Session
    source: Source
    since: datetime | None
    until: datetime | None

    @property
    def columns(self) -> Sequence[str]:
        return tuple(self.source.columns)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        bounds = {"since": self.since, "until": self.until} if self.source.timestamp is not None else {}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        sql = f"SELECT {identifiers(columns)} FROM {identifier(rows_relation(self.source.name))}"
        if given:
            time = time_of(self.source)
            within = " AND ".join(f"{time} {'>=' if name == 'since' else '<'} ${name}" for name in given)
            sql += f" WHERE ({within}) OR {time} IS NULL"
        return self.session.batches(sql, given)


def audit_partitions(
    expectations: Sequence[Expectation], file: Path, days: Mapping[date, Where], place: str
) -> dict[date, AuditResult]:
    """Check the partitions that a file holds, each by itself.

    What is judged row by row is judged for the whole file first: where nothing is unexpected, it is so on every day.

    Args:
        expectations: What must hold of each partition.
        file: The staged file.
        days: The days that are in it, with the ranges of their rows.
        place: What they are, for messages.
    """
    if not expectations:
        return {day: AuditResult(f"{place} of {day}") for day in days}
    by_row = [one for one in expectations if one.expect in ROW_BY_ROW]
    whole = audit(by_row, _RowsOfFiles((str(file),), {}), place)
    clean = [replace(result, rows=None) for result in whole.results if result.unexpected == 0]
    if len(days) == 1 or len(clean) < len(by_row):
        return {
            day: audit(expectations, _RowsOfFiles((str(file),), where), f"{place} of {day}")
            for day, where in days.items()
        }
    others = [one for one in expectations if one.expect not in ROW_BY_ROW]
    found = {}
    for day, where in days.items():
        result = audit(others, _RowsOfFiles((str(file),), where), f"{place} of {day}")
        found[day] = replace(result, results=(*clean, *result.results))
    return found


def audit_published(expectations: Sequence[Expectation], manifest: Manifest, datasets: DatasetStore) -> AuditResult:
    """Check a partition that is published already; nothing is raised where something critical does not hold."""
    rows = _RowsOfFiles(tuple(datasets.files(manifest)), manifest.where)
    return audit(expectations, rows, f"{manifest.dataset} of {manifest.partition}")


@dataclass(frozen=True)
class _RowsOfFiles:
    paths: tuple[str, ...]
    where: Where

    @property
    def columns(self) -> Sequence[str]:
        return tuple(schema(Path(self.paths[0])))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return read_batches(self.paths, self.where, columns)
