"""Backup and restore: whole, verified, and only into an empty home."""

from __future__ import annotations

import io
import json
import shutil
import threading
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from modelyard.config.bundles import bundle_digest, pack
from modelyard.errors import Conflict, IntegrityError, InvalidData, UsageError
from modelyard.registry.backup import back_up, restore
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.integrity import damages
from modelyard.registry.sqlite import SqliteMetadata
from tests.registry.making import apply, definition, feature_set, flip_byte, open_local, register, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


BUNDLE = {"woe.py": "".join(f"W{number} = {number**3}\n" for number in range(100)).encode()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A registry with something of everything."""
    registry = open_local(tmp_path / "home")
    apply(registry)
    for number in range(3):
        register(registry, tmp_path, f"key {number}")
    registry.rollback("ke", to=2)
    registry.archive_version("ke", 1)
    registry.queue_run(run_of())
    registry.write_run_log(run_of().id, io.BytesIO(b"log"))
    large = definition("large")
    large["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(1000)})
    registry.apply_model(large, project="lender", expected_revision=0)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.keep_bundle(bundle_digest(BUNDLE), pack(BUNDLE))
    return tmp_path / "home"


def content(registry: LocalRegistry) -> list[object]:
    """All that a registry answers."""
    versions = registry.versions("ke").items
    return [
        registry.models().items,
        versions,
        [b"".join(registry.read_artifact("ke", version.number, "model.json")) for version in versions],
        registry.promotions("ke"),
        registry.runs().items,
        b"".join(registry.read_run_log(run_of().id)),
        registry.feature_sets().items,
        registry.changes(),
    ]


@pytest.mark.parametrize("name", ["backup", "backup.zip"])
def test_what_is_backed_up_comes_back(home: Path, tmp_path: Path, name: str) -> None:
    backup = back_up(home, tmp_path / "to" / name)
    assert (backup.format, backup.files) == (1, 6)
    assert [path.name for path in (tmp_path / "to").iterdir()] == [name]
    assert restore(tmp_path / "to" / name, tmp_path / "other") == backup
    restored = open_local(tmp_path / "other")
    assert content(restored) == content(open_local(home))
    assert register(restored, tmp_path, "new").number == 4
    assert open_local(home).model("ke").latest == 3, "the two share nothing"
    assert sorted(path.name for path in (tmp_path / "other").iterdir() if not path.name.startswith("registry.db-")) == [
        "artifacts",
        "registry.db",
    ]


def test_a_backup_is_taken_while_others_write(home: Path, tmp_path: Path) -> None:
    registry = open_local(home)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            register(registry, tmp_path / "busy", f"busy {(number := number + 1)}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backups = [back_up(home, tmp_path / f"backup {number}") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    for number, backup in enumerate(backups):
        assert restore(tmp_path / f"backup {number}", tmp_path / f"home {number}") == backup
        there = open_local(tmp_path / f"home {number}").versions("ke", limit=1000).items
        assert {version.number for version in there} == set(range(1, len(there) + 1))


def test_a_restore_takes_an_empty_home(home: Path, tmp_path: Path) -> None:
    back_up(home, tmp_path / "backup")
    with pytest.raises(Conflict, match=r"holds registry\.db"):
        restore(tmp_path / "backup", home)
    (tmp_path / "half" / "artifacts").mkdir(parents=True)
    with pytest.raises(Conflict, match="holds artifacts"):
        restore(tmp_path / "backup", tmp_path / "half")
    with pytest.raises(Conflict, match="there already"):
        back_up(home, tmp_path / "backup")
    with pytest.raises(UsageError, match="no registry"):
        back_up(tmp_path / "nowhere", tmp_path / "backup 2")


def test_a_damaged_registry_is_not_backed_up(home: Path, tmp_path: Path) -> None:
    version = open_local(home).latest("ke")
    stored = home / "artifacts" / version.location / "model.json"
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes().replace(b"0", b"1"))
    with pytest.raises(IntegrityError, match="version 3 of `ke`"):
        back_up(home, tmp_path / "backup")
    stored.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        back_up(home, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    with closing(SqliteMetadata(home / "registry.db")) as metadata:
        found = list(damages(metadata, FilesystemArtifacts(home / "artifacts")))
    assert found == ["version 3 of `ke`: `model.json` is missing"]


def test_a_damaged_bundle_is_not_backed_up(home: Path, tmp_path: Path) -> None:
    key = f"bundles/{bundle_digest(BUNDLE)}.zip"
    flip_byte(home / "artifacts" / key)
    with pytest.raises(IntegrityError, match=f"`{key}` is damaged"):
        back_up(home, tmp_path / "backup")


@pytest.mark.parametrize(
    "what", ["registry.db", "model.json", "documents", "bundles", "backup.json", "format", "nothing"]
)
def test_a_damaged_backup_is_not_restored(home: Path, tmp_path: Path, what: str) -> None:
    backup = tmp_path / "backup"
    back_up(home, backup)
    if what == "format":
        manifest = json.loads((backup / "backup.json").read_text())
        (backup / "backup.json").write_text(json.dumps({**manifest, "format": 2}))
    elif what == "nothing":
        shutil.rmtree(backup)
        backup.mkdir()
    else:
        flip_byte(next(path for path in backup.rglob("*") if path.is_file() and what in str(path)))
    try:
        restore(backup, tmp_path / "other")
    except (IntegrityError, InvalidData):
        assert [path for path in (tmp_path / "other").iterdir() if not path.name.startswith(".")] == []
    else:
        # A flipped bit of the manifest may lie in the words that only people read.
        assert what == "backup.json"
    assert open_local(home).latest("ke").number == 3


def test_a_zip_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    for name in ("../evil", "/etc/evil", "artifacts/../../evil", "other.txt", "artifacts/.hidden"):
        path = tmp_path / "bad.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
        with pytest.raises(InvalidData, match="is no backup"):
            restore(path, tmp_path / "home")
        path.unlink()
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(IntegrityError, match="no sound zip"):
        restore(tmp_path / "torn.zip", tmp_path / "home")
    with zipfile.ZipFile(tmp_path / "torn.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("registry.db", bytes(range(256)))
    content = bytearray((tmp_path / "torn.zip").read_bytes())
    content[45:60] = b"\xff" * 15
    (tmp_path / "torn.zip").write_bytes(content)
    with pytest.raises(IntegrityError, match="no sound zip"):
        restore(tmp_path / "torn.zip", tmp_path / "home")
    with pytest.raises(UsageError, match=r"no `.*nothing\.zip`"):
        restore(tmp_path / "nothing.zip", tmp_path / "home")
    assert not (tmp_path / "evil").exists()
