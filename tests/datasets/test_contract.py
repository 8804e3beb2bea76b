"""What every store of datasets promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.datasets.s3 import S3Datasets
from modelyard.errors import IntegrityError, InvalidData
from modelyard.filecache import FileCache
from tests.buckets import new_bucket
from tests.datasets.stores import DATASET, DAY, LATER, publish, rows, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.datasets.store import DatasetStore


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetStore]:
    if request.param == "folder":
        yield FilesystemDatasets(tmp_path / "datasets")
        return
    cache = FileCache(tmp_path / "cache")
    for bucket in new_bucket(monkeypatch):
        yield S3Datasets(bucket, "some/prefix", cache=cache, scratch=tmp_path / "staging")


def test_what_was_published_is_read(store: DatasetStore) -> None:
    manifest = publish(store, [1, 2, 3])
    assert (manifest.number, manifest.rows, manifest.schema_) == (1, 3, {"value": "int64"})
    assert store.manifest(DATASET, DAY) == manifest
    assert values(store) == [1, 2, 3]


def test_nothing_is_there_before_it_is_published(store: DatasetStore) -> None:
    assert store.manifest(DATASET, DAY) is None
    assert store.partitions(DATASET) == []
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": [1]}), staging.path / "part-0.parquet")
        assert store.manifest(DATASET, DAY) is None
    assert not staging.path.exists()


def test_the_newest_manifest_wins(store: DatasetStore) -> None:
    publish(store, [1])
    old = store.manifest(DATASET, DAY)
    assert old is not None
    newer = publish(store, [2])
    assert newer.number == 2
    assert values(store) == [2]
    assert [row for batch in rows(store, old) for row in batch.column("value").to_pylist()] == [1]


def test_equal_content_has_an_equal_digest(store: DatasetStore) -> None:
    digests = {publish(store, [1]).digest, publish(store, [1], "2026-02-01").digest}
    assert len(digests) == 1
    assert publish(store, [2]).digest not in digests


def test_partitions_share_the_files_of_a_range(store: DatasetStore) -> None:
    instants = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 1, 2, 3, 3, 3)]
    with store.stage("features/history/1") as staging:
        table = pa.table({"as_of": pa.array(instants, pa.timestamp("us", "UTC")), "value": range(6)})
        pq.write_table(table, staging.path / "range.parquet", row_group_size=2)
        for day in (1, 2, 3):
            bounds = (f"2026-01-0{day}T00:00:00+00:00", f"2026-01-0{day + 1}T00:00:00+00:00")
            staging.publish(f"2026-01-0{day}", where={"as_of": bounds}, details={"day": day})
    manifests = [store.manifest("features/history/1", day) for day in store.partitions("features/history/1")]
    assert [manifest and (manifest.rows, manifest.details["day"]) for manifest in manifests] == [(2, 1), (1, 2), (3, 3)]
    assert len({manifest.digest for manifest in manifests if manifest}) == 3
    assert len({file for manifest in manifests if manifest for file in manifest.files}) == 1
    assert [values(store, f"2026-01-0{day}", "features/history/1") for day in (1, 2, 3)] == [[0, 1], [2], [3, 4, 5]]
    # Replacing one of them leaves the others' file in its place.
    publish(store, [9], "2026-01-02", "features/history/1")
    store.sweep(older_than=LATER, dry_run=False)
    assert [values(store, f"2026-01-0{day}", "features/history/1") for day in (1, 2, 3)] == [[0, 1], [9], [3, 4, 5]]


def test_an_empty_partition_is_a_partition(store: DatasetStore) -> None:
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": pa.array([], pa.int64())}), staging.path / "part-0.parquet")
        assert staging.publish(DAY).rows == 0
    assert values(store) == []


def test_nothing_staged_is_not_published(store: DatasetStore) -> None:
    with store.stage(DATASET) as staging, pytest.raises(InvalidData, match="nothing was staged"):
        staging.publish(DAY)


def test_half_a_file_is_not_published(store: DatasetStore) -> None:
    with store.stage(DATASET) as staging:
        path = staging.path / "part-0.parquet"
        pq.write_table(pa.table({"value": list(range(1000))}), path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InvalidData, match="not a whole Parquet file"):
            staging.publish(DAY)
    assert store.partitions(DATASET) == []


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "a/../b", "a/b/c/d/e", "", "/etc", "a//b", "a\\b", "a b", "_files", ".x", "a\n", "a/" + "b" * 200],
)
def test_a_name_cannot_leave_the_folder(store: DatasetStore, name: str) -> None:
    with pytest.raises(InvalidData, match="not the name of a dataset"), store.stage(name):
        pass
    with pytest.raises(InvalidData, match="not the name of a partition"):
        store.manifest(DATASET, name)


def test_publishers_at_once_all_succeed_with_different_numbers(store: DatasetStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        manifests = list(pool.map(lambda value: publish(store, [value]), range(32)))
    assert sorted(manifest.number for manifest in manifests) == list(range(1, 33))
    last = max(manifests, key=lambda manifest: manifest.number)
    assert store.manifest(DATASET, DAY) == last
    assert values(store) == [manifests.index(last)]


def test_a_sweep_leaves_what_is_being_staged_and_what_may_be_read(store: DatasetStore) -> None:
    first = publish(store, [1])
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": [2]}), staging.path / "part-0.parquet")
        assert store.sweep(older_than=LATER, dry_run=False) == {}
        second = staging.publish(DAY)
    assert store.sweep(older_than=second.published_at, dry_run=False) == {}
    store.verify(first)
    would_go = store.sweep(older_than=LATER)
    assert len(would_go) == 2
    assert sum(would_go.values()) > 0
    assert store.sweep(older_than=LATER, dry_run=False) == would_go
    assert store.sweep(older_than=LATER) == {}
    assert values(store) == [2]
    with pytest.raises(IntegrityError):
        store.verify(first)


def test_partitions_are_listed_in_order(store: DatasetStore) -> None:
    for day in ("2026-02-01", "2026-01-31", "all", "2026-01-31"):
        publish(store, [1], day)
    assert store.partitions(DATASET) == ["2026-01-31", "2026-02-01", "all"]
    assert store.partitions("features/history/1") == []
