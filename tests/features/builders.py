"""Documents and places for tests of features, with as little as each test has to say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
from modelyard.config.kinds import FeatureSet, Model, Source
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.datasets.parquet import read_batches
from modelyard.features.compile import ordered
from modelyard.features.duckdb import DuckDBEngine
from modelyard.features.partitions import dataset_of
from modelyard.registry.records import FeatureSetPin

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.datasets.store import Manifest

VERSION = "modelyard/v1"

TYPES = {"string": pa.string(), "integer": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
         "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32()}  # fmt: skip


def source(name: str, columns: dict[str, str], **content: Any) -> Source:
    """A Parquet source at `<name>.parquet`, unless said otherwise."""
    said = {"apiVersion": VERSION, "kind": "Source", "name": name, "format": "parquet", "path": f"{name}.parquet"}
    return Source.model_validate({**said, "columns": columns, **content})


def feature_set(
    name: str,
    sources: list[Source],
    *,
    query: str | None = None,
    refs: list[FeatureSetDefinition] | None = None,
    **content: Any,
) -> FeatureSetDefinition:
    """A feature set; `query` is the template's text."""
    said = {"apiVersion": VERSION, "kind": "FeatureSet", "name": name, "owner": "tests", "timezone": "UTC"}
    document = FeatureSet.model_validate({**said, **({"query": "query.sql.j2"} if query else {}), **content})
    return FeatureSetDefinition(
        document=document,
        query=query,
        sources={one.name: one for one in sources},
        refs={one.name: one for one in refs or ()},
    )


def model(
    name: str, sources: list[Source], feature_sets: list[FeatureSetDefinition], **content: Any
) -> ModelDefinition:
    """A model that learns nothing: tests of features look at its data alone."""
    said = {"apiVersion": VERSION, "kind": "Model", "name": name, "owner": "tests", "timezone": "UTC"}
    pipeline = [{"use": "sklearn.dummy.DummyClassifier"}]
    task = {"task": "regression", "pipeline": pipeline}
    document = Model.model_validate({**said, **task, **content})
    return ModelDefinition(
        document=document,
        pipeline=document.pipeline,
        sources={one.name: one for one in sources},
        feature_sets={one.name: one for one in feature_sets},
    )


def pins(*definitions: FeatureSetDefinition) -> dict[str, FeatureSetPin]:
    """Version 1 of each, and of all that they refer to."""
    return {one.name: FeatureSetPin(name=one.name, version=1, digest=one.digest) for one in ordered(definitions)}


def utc(text: str) -> datetime:
    """An instant, such as `2026-01-31T10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(first: str, last: str) -> list[date]:
    """The days from the first to the last."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


class Place:
    """A project's folder, an engine over it, and datasets."""

    def __init__(self, root: Path, **engine: Any) -> None:
        self.root = root
        self.engine = DuckDBEngine(root, root / "scratch", **{"threads": 2, **engine})
        self.datasets = FilesystemDatasets(root / "datasets")

    def write(self, of: Source, rows: list[dict[str, Any]], **options: Any) -> None:
        """Write a source's rows."""
        schema = pa.schema([(column, TYPES[kind]) for column, kind in of.columns.items()])
        pq.write_table(pa.Table.from_pylist(rows, schema), self.root / of.path, **options)

    def rows(self, manifest: Manifest | None) -> list[dict[str, Any]]:
        """The rows of a partition."""
        assert manifest is not None
        batches = read_batches(self.datasets.files(manifest), manifest.where)
        return [row for batch in batches for row in batch.to_pylist()]

    def values(self, definition: FeatureSetDefinition, day: date | str) -> list[dict[str, Any]]:
        """The values of a feature set's partition."""
        pin = pins(definition)[definition.name]
        return self.rows(self.datasets.manifest(dataset_of(pin), str(day)))
