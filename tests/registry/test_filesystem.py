"""Artifacts in a folder: whole or not at all, also where the disk is full or the process dies."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import IntegrityError, InvalidData, NotFound, Unavailable
from modelyard.registry.filesystem import FilesystemArtifacts
from tests.registry.making import BODY, artifact

if TYPE_CHECKING:
    from pathlib import Path

LOCATION = "models/credit-ke/ke/1-abc"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemArtifacts:
    return FilesystemArtifacts(tmp_path / "artifacts")


def put(store: FilesystemArtifacts, key: str, content: bytes = BODY) -> None:
    with store.writing(key) as writer:
        writer.write(content)


def keys(store: FilesystemArtifacts, prefix: str = "models") -> list[str]:
    return sorted(file.key for file in store.stored(prefix))


def test_a_key_is_written_read_and_removed(store: FilesystemArtifacts, tmp_path: Path) -> None:
    put(store, f"{LOCATION}/model.json")
    put(store, f"{LOCATION}/golden/rows.json", b"[]")
    assert keys(store) == [f"{LOCATION}/golden/rows.json", f"{LOCATION}/model.json"]
    assert [file.size for file in store.stored(f"{LOCATION}/golden")] == [2]
    with store.open(f"{LOCATION}/model.json") as file:
        assert file.read() == BODY
    put(store, f"{LOCATION}/model.json", b"{}")
    assert b"".join(store.read(f"{LOCATION}/model.json")) == b"{}"
    for key in keys(store):
        store.remove(key)
        store.remove(key)
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_what_is_not_there_is_not_found(store: FilesystemArtifacts) -> None:
    with pytest.raises(NotFound):
        store.open(f"{LOCATION}/model.json")
    with pytest.raises(NotFound):
        store.read(f"{LOCATION}/model.json")
    assert keys(store) == []


@pytest.mark.parametrize(
    "key", ["../x", "models/../../x", "/etc/passwd", "models//x", "models/a b", "", "a/.b/c", "a\\b"]
)
def test_a_key_leads_nowhere_else(store: FilesystemArtifacts, key: str) -> None:
    with pytest.raises(InvalidData, match="no key"):
        put(store, key)
    with pytest.raises(InvalidData, match="no key"):
        store.remove(key)


def test_a_write_that_fails_leaves_nothing(store: FilesystemArtifacts) -> None:
    with pytest.raises(KeyError), store.writing(f"{LOCATION}/model.json") as writer:  # noqa: PT012 - fails inside
        writer.write(BODY)
        raise KeyError
    assert keys(store) == []


def test_bytes_are_those_that_are_expected(store: FilesystemArtifacts) -> None:
    key = f"{LOCATION}/model.json"
    for content, why in ((BODY[:-1], "bytes"), (BODY + b"!", "more than"), (BODY[::-1], "SHA-256")):
        with (
            pytest.raises(IntegrityError, match=why),
            store.writing(key, artifact("model.json", BODY)) as writer,
        ):
            writer.write(content)
        assert keys(store) == []
    with store.writing(key, artifact("model.json", BODY)) as writer:
        for byte in BODY:
            writer.write(bytes([byte]))
    assert keys(store) == [key]


def test_sealed_files_are_read_only(store: FilesystemArtifacts, tmp_path: Path) -> None:
    put(store, f"{LOCATION}/a/model.json")
    with pytest.raises(IntegrityError, match="SHA-256"):
        store.seal(LOCATION, [artifact("a/model.json", BODY[::-1])])
    store.seal(LOCATION, [artifact("a/model.json", BODY)])
    assert (tmp_path / "artifacts" / LOCATION / "a" / "model.json").stat().st_mode & 0o777 == 0o444


def test_what_is_written_reaches_the_disk_before_it_counts(
    store: FilesystemArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    put(store, f"{LOCATION}/a/model.json")
    store.seal(LOCATION, [artifact("a/model.json", BODY)])
    root = store._root
    way = [root, root / "models", root / "models/credit-ke", root / "models/credit-ke/ke", root / LOCATION]
    way += [root / LOCATION / "a", root / LOCATION / "a/model.json"]
    assert {path.stat().st_ino for path in way} <= synced


def test_unfinished_writes_are_listed_and_can_be_removed(store: FilesystemArtifacts, tmp_path: Path) -> None:
    put(store, f"{LOCATION}/model.json")
    folder = tmp_path / "artifacts" / LOCATION
    (folder / ".abc123.part").write_bytes(b"half")
    (folder / "not ours").write_bytes(b"")
    assert keys(store) == [f"{LOCATION}/.abc123.part", f"{LOCATION}/model.json"]
    store.remove(f"{LOCATION}/.abc123.part")
    assert keys(store) == [f"{LOCATION}/model.json"]


def test_a_disk_that_does_not_answer_is_unavailable(store: FilesystemArtifacts, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="check the disk"):
        put(store, f"{LOCATION}/model.json")


FILL = """
import resource, signal, sys
from pathlib import Path
from modelyard.errors import StorageFull
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.transfer import save_artifact, upload_artifacts
from tests.registry.making import apply, artifact, claim_of, open_local, write_files
folder = Path(sys.argv[1])
store = FilesystemArtifacts(folder / "full")
large = bytes(4096) * 100
if sys.argv[2] == "upload":
    registry = open_local(folder / "home")
    apply(registry)
    claim = registry.claim(claim_of(files={"model.json": large}))
    write_files(folder / "made", {"model.json": large})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    match sys.argv[2]:
        case "write":
            with store.writing("models/t/ke/1-abc/model.json") as writer:
                for _ in range(100):
                    writer.write(bytes(4096))
        case "download":
            save_artifact(artifact("model.json", large), [large[:50000], large[50000:]], folder / "full" / "model.json")
        case "upload":
            upload_artifacts(claim, folder / "made")
except StorageFull as error:
    print(error)
"""


@pytest.mark.parametrize("way", ["write", "download", "upload"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, way: str) -> None:
    # A process's own limit of 64 KiB a file stands for the disk: it fails in the same place, and in the same way.
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path), way], capture_output=True, text=True, check=True)
    assert "no room for `model.json`" in done.stdout
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert {path for path in left if "registry.db" not in path} == ({"made/model.json"} if way == "upload" else set())
