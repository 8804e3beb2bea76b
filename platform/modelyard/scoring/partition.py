"""One instant of a feature set in memory, with an index over its entities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.datasets.parquet import read_batches
from modelyard.features.templates import AS_OF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt
    import pyarrow as pa

    from modelyard.datasets.store import Manifest


@dataclass(frozen=True)
class LoadedPartition:
    """The rows of a feature set at one instant."""

    digest: str
    """The manifest's."""
    as_of: datetime
    """The instant of the values."""
    asked_for: datetime
    """The instant that was wished for; the values' own is that, or the last one before it that the partition has."""
    table: pa.Table
    """A row for each entity."""
    keys: tuple[str, ...]
    """The entity's columns."""
    hashes: npt.NDArray[np.uint64]
    """The hashes of the rows' keys, in rising order: sixteen bytes a row, where a dict would take ten times as much."""
    rows: npt.NDArray[np.intp]
    """The row of each hash."""

    def find(self, keys: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.intp]:
        """The rows of some entities; -1 where there is none.

        Args:
            keys: Each column of the entity, with as many values as there are entities asked for.
        """
        import pyarrow as pa

        wanted = pa.table({name: pa.array(keys[name], self.table.schema.field(name).type) for name in self.keys})
        hashes = _hashes(wanted)
        starts, ends = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        found = np.full(len(hashes), -1, dtype=np.intp)
        for position in np.flatnonzero(starts < ends):
            entity = [wanted.column(name)[position] for name in self.keys]
            for row in self.rows[starts[position] : ends[position]]:
                if all(self.table.column(name)[row] == value for name, value in zip(self.keys, entity, strict=True)):
                    found[position] = row
        return found


def load_partition(
    files: Sequence[str], manifest: Manifest, keys: Sequence[str], as_of: datetime, asked_for: datetime
) -> LoadedPartition:
    """Read the rows of one instant of a partition.

    Args:
        files: The partition's files.
        manifest: The partition's manifest.
        keys: The entity's columns.
        as_of: The instant; one that the manifest names.
        asked_for: The instant that was wished for, the same or a later one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kept = []
    for batch in read_batches(files, manifest.where):
        column = batch.column(AS_OF)
        kept.append(batch.filter(pc.equal(column, pa.scalar(as_of, column.type))))
    table = pa.Table.from_batches(kept, pq.read_schema(files[0])).combine_chunks()
    hashes = _hashes(table.select(list(keys)))
    rows = np.argsort(hashes, kind="stable")
    return LoadedPartition(manifest.digest, as_of, asked_for, table, tuple(keys), hashes[rows], rows)


def _hashes(keys: pa.Table) -> npt.NDArray[np.uint64]:
    import pandas as pd

    return np.asarray(pd.util.hash_pandas_object(keys.to_pandas(), index=False), dtype=np.uint64)
