"""Partitions in a folder: whole or absent, whoever dies when, and whoever else publishes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.datasets.parquet import read_batches
from modelyard.datasets.store import DatasetStore, Manifest
from modelyard.errors import IntegrityError, InvalidData, ModelyardError, StorageFull

DATASET = "predictions/ke_loan_default/7"
DAY = "2026-01-31"
LATER = datetime.now(UTC) + timedelta(hours=1)
"""Everything that a test does is older than this."""


@pytest.fixture
def store(tmp_path: Path) -> FilesystemDatasets:
    return FilesystemDatasets(tmp_path / "datasets")


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


def bytes_below(root: Path) -> int:
    return sum((root / path).stat().st_size for path in everything(root))


def everything(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_what_was_published_is_read(store: FilesystemDatasets) -> None:
    manifest = publish(store, [1, 2, 3])
    assert (manifest.number, manifest.rows, manifest.schema_) == (1, 3, {"value": "int64"})
    assert store.manifest(DATASET, DAY) == manifest
    assert values(store) == [1, 2, 3]


def test_nothing_is_there_before_it_is_published(store: FilesystemDatasets) -> None:
    assert store.manifest(DATASET, DAY) is None
    assert store.partitions(DATASET) == []
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": [1]}), staging.path / "part-0.parquet")
        assert store.manifest(DATASET, DAY) is None
    assert not staging.path.exists()


def test_the_newest_manifest_wins(store: FilesystemDatasets) -> None:
    publish(store, [1])
    old = store.manifest(DATASET, DAY)
    assert old is not None
    newer = publish(store, [2])
    assert newer.number == 2
    assert values(store) == [2]
    assert [row for batch in rows(store, old) for row in batch.column("value").to_pylist()] == [1]


def test_equal_content_has_an_equal_digest(store: FilesystemDatasets) -> None:
    digests = {publish(store, [1]).digest, publish(store, [1], "2026-02-01").digest}
    assert len(digests) == 1
    assert publish(store, [2]).digest not in digests


def test_partitions_are_listed_in_order_without_reading_manifests(store: FilesystemDatasets, tmp_path: Path) -> None:
    for day in ("2026-02-01", "2026-01-31", "all", "2026-01-31"):
        publish(store, [1], day)
    for manifest in tmp_path.rglob("*.json"):
        manifest.write_text("not read")
    assert store.partitions(DATASET) == ["2026-01-31", "2026-02-01", "all"]


def test_partitions_share_the_files_of_a_range(store: FilesystemDatasets) -> None:
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


def test_an_empty_partition_is_a_partition(store: FilesystemDatasets) -> None:
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": pa.array([], pa.int64())}), staging.path / "part-0.parquet")
        assert staging.publish(DAY).rows == 0
    assert values(store) == []


def test_nothing_staged_is_not_published(store: FilesystemDatasets) -> None:
    with store.stage(DATASET) as staging, pytest.raises(InvalidData, match="nothing was staged"):
        staging.publish(DAY)


def test_half_a_file_is_not_published(store: FilesystemDatasets) -> None:
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
def test_a_name_cannot_leave_the_folder(store: FilesystemDatasets, name: str) -> None:
    with pytest.raises(InvalidData, match="not the name of a dataset"), store.stage(name):
        pass
    with pytest.raises(InvalidData, match="not the name of a partition"):
        store.manifest(DATASET, name)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "bytes instead of"),
        (lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]), "other bytes"),
    ],
)
def test_damage_is_found(store: FilesystemDatasets, damage: Callable[[Path], object], words: str) -> None:
    manifest = publish(store, [1, 2, 3])
    damage(Path(store.files(manifest)[0]))
    with pytest.raises(IntegrityError, match=words):
        store.verify(manifest)


def test_a_damaged_manifest_is_named(store: FilesystemDatasets, tmp_path: Path) -> None:
    publish(store, [1])
    next(tmp_path.rglob("*.json")).write_text("{}")
    with pytest.raises(IntegrityError, match="of 2026-01-31 is damaged"):
        store.manifest(DATASET, DAY)


def test_publishers_at_once_all_succeed_with_different_numbers(store: FilesystemDatasets) -> None:
    with ThreadPoolExecutor(16) as pool:
        manifests = list(pool.map(lambda value: publish(store, [value]), range(32)))
    assert sorted(manifest.number for manifest in manifests) == list(range(1, 33))
    last = max(manifests, key=lambda manifest: manifest.number)
    assert store.manifest(DATASET, DAY) == last
    assert values(store) == [manifests.index(last)]


PUBLISHER = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from modelyard.datasets.filesystem import FilesystemDatasets

def die(*ignored):
    os.kill(os.getpid(), signal.SIGKILL)

root, moment = Path(sys.argv[1]), sys.argv[2]
link, rename = Path.hardlink_to, Path.rename
if moment == "before the manifest":
    Path.hardlink_to = die
if moment == "after the manifest":
    Path.hardlink_to = lambda path, target: (link(path, target), die())
if moment == "before the other manifest":
    Path.rename = die
if moment == "after the other manifest":
    Path.rename = lambda path, target: (rename(path, target), die())
with FilesystemDatasets(root).stage("predictions/ke_loan_default/7") as staging:
    if moment == "before writing":
        die()
    writer = pq.ParquetWriter(staging.path / "part-0.parquet", pa.schema({"value": pa.int64()}))
    writer.write_table(pa.table({"value": [7, 8]}))
    if moment == "while writing":
        die()
    writer.close()
    if moment == "before publishing":
        die()
    staging.publish("2026-01-31")
    if moment == "between partitions":
        die()
    staging.publish("2026-02-01")
"""


@pytest.mark.parametrize(
    ("moment", "seen", "other"),
    [
        ("before writing", [1], None),
        ("while writing", [1], None),
        ("before publishing", [1], None),
        ("before the manifest", [1], None),
        ("after the manifest", [7, 8], None),
        ("between partitions", [7, 8], None),
        ("before the other manifest", [7, 8], None),
        ("after the other manifest", [7, 8], [7, 8]),
    ],
)
def test_killed_at_any_moment_readers_see_the_whole_old_or_the_whole_new(
    store: FilesystemDatasets, tmp_path: Path, moment: str, seen: list[int], other: list[int] | None
) -> None:
    publish(store, [1])
    command = [sys.executable, "-c", PUBLISHER, str(tmp_path / "datasets"), moment]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    assert values(store) == seen
    assert values(store, "2026-02-01") == other
    assert ("2026-02-01" in store.partitions(DATASET)) is (other is not None)
    publish(store, [2], "2026-02-01")
    would_go = store.sweep(older_than=LATER)
    assert store.sweep(older_than=LATER, dry_run=False) == would_go
    assert store.sweep(older_than=LATER) == {}
    assert values(store) == seen
    assert len(everything(tmp_path)) == 4  # two partitions, each a manifest and a file


def test_a_sweep_leaves_what_is_being_staged_and_what_may_be_read(store: FilesystemDatasets, tmp_path: Path) -> None:
    first = publish(store, [1])
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": [2]}), staging.path / "part-0.parquet")
        assert store.sweep(older_than=LATER, dry_run=False) == {}
        second = staging.publish(DAY)
    assert store.sweep(older_than=second.published_at, dry_run=False) == {}
    store.verify(first)
    before = bytes_below(tmp_path)
    swept = store.sweep(older_than=LATER, dry_run=False)
    assert len(swept) == 2
    assert sum(swept.values()) == before - bytes_below(tmp_path)
    assert values(store) == [2]
    with pytest.raises(IntegrityError):
        store.verify(first)
    assert len(everything(tmp_path)) == 2


def test_a_full_disk_is_named_and_leaves_what_was_there(
    store: FilesystemDatasets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(store, [1])

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageFull, match="no room is left"):
        publish(store, [2])
    monkeypatch.undo()
    assert values(store) == [1]
    assert len(everything(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelyardError, match="cannot be written"):
        publish(FilesystemDatasets(tmp_path / "file"), [1])
