"""Partitions in a folder: whole or absent, whoever dies when, and whoever else publishes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import IntegrityError, ModelyardError, StorageFull
from tests.datasets.stores import DATASET, DAY, LATER, publish, values


@pytest.fixture
def store(tmp_path: Path) -> FilesystemDatasets:
    return FilesystemDatasets(tmp_path / "datasets")


def bytes_below(root: Path) -> int:
    return sum((root / path).stat().st_size for path in everything(root))


def everything(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_partitions_are_listed_in_order_without_reading_manifests(store: FilesystemDatasets, tmp_path: Path) -> None:
    for day in ("2026-02-01", "2026-01-31", "all", "2026-01-31"):
        publish(store, [1], day)
    for manifest in tmp_path.rglob("*.json"):
        manifest.write_text("not read")
    assert store.partitions(DATASET) == ["2026-01-31", "2026-02-01", "all"]


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


def test_a_sweep_says_how_many_bytes_it_freed(store: FilesystemDatasets, tmp_path: Path) -> None:
    publish(store, [1])
    publish(store, [2])
    before = bytes_below(tmp_path)
    swept = store.sweep(older_than=LATER, dry_run=False)
    assert len(swept) == 2
    assert sum(swept.values()) == before - bytes_below(tmp_path)
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
