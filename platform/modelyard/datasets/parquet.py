"""Parquet files: what a manifest says of them, and the rows of one partition where files are shared.

A partition of a shared file is a range of instants in one of its columns. Row groups outside of the range are
never read: the statistics in the file's footer say where they lie.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.canonical import file_digest
from modelyard.datasets.store import DataFile
from modelyard.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Where = Mapping[str, tuple[str, str]]
"""Column → half-open range of ISO instants."""

BATCH_ROWS = 1 << 16
"""Rows that are in memory at a time, where a file is read in batches."""


def describe(path: Path, relative_to: Path) -> DataFile:
    """What a manifest says of a file, once its bytes are on the disk.

    Raises:
        InvalidData: The file is not a whole Parquet file.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return DataFile(
        path=path.relative_to(relative_to).as_posix(),
        rows=_open(path).metadata.num_rows,
        size=path.stat().st_size,
        sha256=file_digest(path),
    )


def schema(path: Path) -> dict[str, str]:
    """Column → Arrow type of a file."""
    return {field.name: str(field.type) for field in _open(path).schema_arrow}


def count_rows(path: Path, where: Where) -> int:
    """How many rows of a file lie in the ranges; a row group that does so whole is not read."""
    file = _open(path)
    if not where:
        return int(file.metadata.num_rows)
    rows = 0
    for group, whole in _groups(file, where):
        if whole:
            rows += file.metadata.row_group(group).num_rows
        else:
            rows += _within(file.read_row_group(group, columns=list(where)), where).num_rows
    return rows


def null_rates(path: Path, columns: Sequence[str]) -> dict[str, float]:
    """The share of nulls in some columns of a file, from its footer alone where that says."""
    file = _open(path)
    metadata, rows = file.metadata, file.metadata.num_rows
    nulls = dict.fromkeys(columns, 0)
    for column in columns:
        index = file.schema_arrow.get_field_index(column)
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(index).statistics
            if statistics is not None and statistics.has_null_count:
                nulls[column] += statistics.null_count
            else:
                nulls[column] += file.read_row_group(group, columns=[column]).column(0).null_count
    return {column: count / rows if rows else 0.0 for column, count in nulls.items()}


def read_batches(
    files: Sequence[str], where: Where | None = None, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a partition, a batch at a time; memory does not depend on their number.

    Args:
        files: The manifest's files, as the store says where they are.
        where: The manifest's `where`.
        columns: The columns to read; all of them unless said.
    """
    for path in files:
        file = _open(Path(path))
        wanted = list(columns if columns is not None else file.schema_arrow.names)
        needed = [*wanted, *(column for column in where or {} if column not in wanted)]
        groups = dict(_groups(file, where or {}))
        # One group at a time: `iter_batches` over several would put rows of both in one batch.
        for group, whole in groups.items():
            for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], columns=needed):
                kept = batch if whole else _within(batch, where or {})
                if kept.num_rows:
                    yield kept.select(wanted)


def _open(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = f"{path.name} is not a whole Parquet file: {error}"
        raise InvalidData(reason) from error


def _groups(file: pq.ParquetFile, where: Where) -> Iterator[tuple[int, bool]]:
    """The row groups that may hold rows of the ranges, and whether all of their rows are."""
    columns = {column: file.schema_arrow.get_field_index(column) for column in where}
    for group in range(file.metadata.num_row_groups):
        whole = True
        for column, (low, high) in where.items():
            statistics = file.metadata.row_group(group).column(columns[column]).statistics
            start, end = datetime.fromisoformat(low), datetime.fromisoformat(high)
            if statistics is None or not statistics.has_min_max or statistics.null_count:
                whole = False
            elif statistics.max < start or statistics.min >= end:
                break
            else:
                whole = whole and statistics.min >= start and statistics.max < end
        else:
            yield group, whole


def _within(rows: Any, where: Where) -> Any:
    """The rows of a batch or a table that lie in the ranges."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for column, bounds in where.items():
        kind = rows.schema.field(column).type
        start, end = (pa.scalar(datetime.fromisoformat(bound), kind) for bound in bounds)
        values = rows.column(column)
        rows = rows.filter(pc.and_(pc.greater_equal(values, start), pc.less(values, end)))
    return rows
