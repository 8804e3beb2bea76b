"""Predictions for rows that come in batches, written to one Parquet file; memory is that of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidData
from modelyard.scoring import predictions
from modelyard.training.frames import to_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from modelyard.training.storage.stored import StoredModel

MODEL, VERSION, AS_OF = "model", "version", "as_of"
_SAME = (MODEL, VERSION, AS_OF)
"""The columns that are the same in every row."""


@dataclass(frozen=True)
class Head:
    """What every row of a partition says of itself, so that partitions can be read together."""

    model: str
    version: int
    as_of: datetime


class Writer:
    """Writes one Parquet file of predictions, batch by batch.

    If the process dies, the file is not whole, and nobody has heard of it.

    Args:
        file: Where to write.
        schema: The columns of a batch: the entity's and the features.
        stored: What predicts.
        entity: The entity's columns.
        head: What every row says.
    """

    def __init__(self, file: Path, schema: pa.Schema, stored: StoredModel, entity: Sequence[str], head: Head) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows = 0
        """How many rows were written."""
        self._stored = stored
        self._entity = entity
        self._head = head
        columns = _scored(schema.empty_table(), stored, entity, head).schema
        # Entities and probabilities hardly repeat: to look for repetitions in them takes longer than to write them.
        repeating = [field.name for field in columns if field.name in _SAME or pa.types.is_dictionary(field.type)]
        self._file = pq.ParquetWriter(file, columns, compression="zstd", use_dictionary=repeating)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Predict for some rows, and write them.

        Raises:
            InvalidData: The model can't predict for a row, or its prediction can't be one.
        """
        import pyarrow as pa

        self._file.write_table(_scored(pa.Table.from_batches([batch]), self._stored, self._entity, self._head))
        self.rows += batch.num_rows


def _scored(rows: pa.Table, stored: StoredModel, entity: Sequence[str], head: Head) -> pa.Table:
    import pyarrow as pa

    keys = {name: rows.column(name) for name in entity}
    return pa.table({**keys, **_constants(head, rows.num_rows), **_predicted(rows, stored, entity, head.model)})


def _constants(head: Head, rows: int) -> dict[str, Any]:
    import pyarrow as pa

    zeros = pa.array(np.zeros(rows, dtype=np.int8))
    return {
        AS_OF: pa.repeat(pa.scalar(head.as_of, pa.timestamp("us", "UTC")), rows),
        MODEL: pa.DictionaryArray.from_arrays(zeros, pa.array([head.model])),
        VERSION: pa.repeat(pa.scalar(head.version, pa.int32()), rows),
    }


def _predicted(rows: pa.Table, stored: StoredModel, entity: Sequence[str], model: str) -> dict[str, Any]:
    manifest = stored.manifest
    try:
        with np.errstate(all="ignore"):  # what comes of an overflow is told below, row and all
            predicted = stored.predict(to_frame(rows, manifest.features)) if rows.num_rows else _nothing(stored)
    except (ValueError, TypeError) as error:
        first = _who(rows, entity, 0)
        reason = f"`{model}` can't score the rows from {first} on: {error}"
        raise InvalidData(reason, "look at their features; the model may need an imputer or an encoder") from error
    if fault := predictions.fault(manifest.task, predicted):
        row, what = fault
        reason = f"`{model}` can't score {_who(rows, entity, row)}: {what}"
        raise InvalidData(reason, "look at the features of that row")
    return predictions.named(manifest.task, manifest.classes, predicted)


def _nothing(stored: StoredModel) -> Any:
    """The predictions for no rows: libraries refuse an empty frame."""
    return np.zeros((0, len(stored.classes)) if stored.manifest.task == "multiclass_classification" else 0)


def _who(rows: pa.Table, entity: Sequence[str], row: int) -> str:
    return ", ".join(f"{name} {rows.column(name)[row].as_py()!r}" for name in entity) or f"row {row}"
