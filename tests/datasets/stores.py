"""What tests of datasets do to a store, wherever it lies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.datasets.parquet import read_batches
from modelyard.datasets.store import DatasetStore, Manifest

DATASET = "predictions/ke_loan_default/7"
DAY = "2026-01-31"
LATER = datetime.now(UTC) + timedelta(hours=1)
"""Everything that a test does is older than this."""


def publish(store: DatasetStore, values: list[int], partition: str = DAY, dataset: str = DATASET) -> Manifest:
    with store.stage(dataset) as staging:
        pq.write_table(pa.table({"value": values}), staging.path / "part-0.parquet")
        return staging.publish(partition)


def values(store: DatasetStore, partition: str = DAY, dataset: str = DATASET) -> list[int] | None:
    manifest = store.manifest(dataset, partition)
    if manifest is None:
        return None
    return [value for batch in rows(store, manifest) for value in batch.column("value").to_pylist()]


def rows(store: DatasetStore, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    store.verify(manifest)
    return read_batches(store.files(manifest), manifest.where)
