"""The tables as Parquet: their columns, and files that are written as rows come."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from modelyard.simulator.calendar import Flags

UNKNOWN = int(np.iinfo(np.int64).min)
"""Stands in an array of integers where the column holds null."""

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_NAME = pa.dictionary(pa.int32(), pa.string())
"""A string given as a code into names; read back, it is a plain string."""

SCHEMAS = {
    "borrowers": pa.schema({
        "borrower_id": _NAME, "market": _NAME, "gender": _NAME, "age_band": _NAME, "region": _NAME,
        "registered_at": _TIMESTAMP, "active": pa.bool_(),
    }),
    "transactions": pa.schema({
        "borrower_id": _NAME, "event_time": _TIMESTAMP, "available_time": _TIMESTAMP, "amount": pa.float64(),
        "direction": _NAME, "channel": _NAME,
    }),
    "devices": pa.schema({
        "borrower_id": _NAME, "seen_at": _TIMESTAMP, "available_time": _TIMESTAMP, "model": _NAME, "os": _NAME,
        "app_version": _NAME, "is_rooted": pa.bool_(),
    }),
    "loans": pa.schema({
        "loan_id": pa.string(), "borrower_id": _NAME, "market": _NAME, "disbursed_at": _TIMESTAMP,
        "due_at": _TIMESTAMP, "principal": pa.float64(), "term_days": pa.int32(), "defaulted_30d": pa.int32(),
        "outcome_at": _TIMESTAMP, "available_time": _TIMESTAMP,
    }),
    "truth": pa.schema({"loan_id": pa.string(), "default_probability": pa.float64()}),
}  # fmt: skip

_WIDTHS: dict[pa.DataType, str] = {_TIMESTAMP: "int64", pa.int32(): "int32", pa.float64(): "float64"}

_ROWS_A_GROUP = 1 << 18
"""Rows that wait in memory until they are written together; also what a reader can skip by their timestamps."""


class Part:
    """One file of a table, which takes rows as they come; memory does not depend on their number.

    The file is complete and on the disk when its `with` ends; until then it is no Parquet file.

    Args:
        path: The file.
        schema: Its columns.
        names: For each column of codes, the names that the codes count through.
    """

    def __init__(self, path: Path, schema: pa.Schema, names: Mapping[str, Sequence[str]]) -> None:
        self.rows = 0
        self._path, self._schema = path, schema
        self._names = {column: _strings(values) for column, values in names.items()}
        self._waiting: dict[str, list[Any]] = defaultdict(list)
        self._waiting_rows = 0
        # Without Arrow's own schema in the file, every reader sees the same plain types.
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    def append(self, **columns: Any) -> None:
        """Add rows: an array for each column, all as long; times in seconds since 1970."""
        rows = len(columns[self._schema.names[0]])
        for name, values in columns.items():
            self._waiting[name].append(values)
        self._waiting_rows += rows
        self.rows += rows
        if self._waiting_rows >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting_rows:
            return
        columns = [self._column(field, self._waiting.pop(field.name)) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=_ROWS_A_GROUP)
        self._waiting_rows = 0

    def _column(self, field: pa.Field, waiting: list[Any]) -> pa.Array:
        if field.type == pa.string():
            return _strings(list(chain.from_iterable(waiting)))
        values = np.concatenate(waiting)
        if field.type == _NAME:
            return pa.DictionaryArray.from_arrays(_numbers(values, pa.int32()), self._names[field.name])
        if field.type == pa.bool_():
            return pa.Array.from_buffers(field.type, len(values), [None, _bits(values)])
        return _numbers(values, field.type)


# Arrays are made from their buffers: `pyarrow.array` would import pandas, where it is installed, and take a second.


def _numbers(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    known = None
    if values.dtype == np.int64 and (values == UNKNOWN).any():
        known = _bits(values != UNKNOWN)
        values = np.where(values == UNKNOWN, 0, values)
    if kind == _TIMESTAMP:
        values = values * 1_000_000
    dense = np.ascontiguousarray(values, dtype=_WIDTHS[kind])
    return pa.Array.from_buffers(kind, len(dense), [known, pa.py_buffer(dense)])


def _bits(flags: Flags) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _strings(values: Sequence[str]) -> pa.Array:
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(values), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])
