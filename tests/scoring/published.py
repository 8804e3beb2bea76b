"""Feature partitions, published as materialisation publishes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.datasets.filesystem import FilesystemDatasets
    from modelyard.datasets.store import Manifest
    from modelyard.registry.local import LocalRegistry


def feature_set(
    name: str, entity: str | Sequence[str] = "borrower_id", kind: str = "string", **document: Any
) -> dict[str, Any]:
    """The content of a feature set over `events`."""
    keys = [entity] if isinstance(entity, str) else list(entity)
    columns = {**dict.fromkeys(keys, kind), "at": "timestamp", "amount": "double"}
    return {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "FeatureSet",
            "name": name,
            "entity": entity,
            "source": "events",
            "aggregations": [{"name": "amount", "of": "amount", "how": "sum", "window": "30d"}],
            "ttl": "2d",
            **document,
        },
        "sources": {
            "events": {
                "apiVersion": "modelyard/v1",
                "kind": "Source",
                "name": "events",
                "format": "parquet",
                "path": "events.parquet",
                "columns": columns,
                "timestamp": "at",
            }
        },
    }


def register_set(registry: LocalRegistry, definition: Mapping[str, Any]) -> int:
    """Register a version of a feature set; its number."""
    return registry.register_feature_set(definition, project="tests", lineage={}).number


def publish(
    datasets: FilesystemDatasets,
    dataset: str,
    day: date,
    columns: Mapping[str, Any],
    as_of: Sequence[datetime] = (),
    instants: Sequence[datetime] = (),
) -> Manifest:
    """Publish a partition.

    Args:
        datasets: Where.
        dataset: The dataset.
        day: The partition.
        columns: Its rows.
        as_of: The instant of each row; the day's midnight in UTC unless said.
        instants: The partition's instants; those of the rows unless said.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    table = pa.table(dict(columns))
    times = pa.array(as_of or [midnight] * table.num_rows, pa.timestamp("us", "UTC"))
    named = [instant.isoformat() for instant in instants or sorted({*as_of}) or [midnight]]
    with datasets.stage(dataset) as staging:
        pq.write_table(table.append_column("as_of", times), staging.path / "rows.parquet", row_group_size=2)
        return staging.publish(day.isoformat(), details={"instants": named})
