"""What every artifact store promises."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from modelyard.errors import InvalidData, NotFound, NotUploaded, WrongBytes
from modelyard.registry import s3
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.records import Claim, ModelVersion, VersionState
from modelyard.registry.transfer import upload_artifacts
from tests.buckets import new_bucket
from tests.registries import NOON
from tests.registry.making import BODY, artifact, claim_of, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modelyard.registry.artifacts import ArtifactStore

LOCATION = "models/credit-ke/ke/1-abc"
LARGE = bytes(range(256)) * (6 << 12)
"""More than the five mebibytes that a piece has at least."""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactStore]:
    if request.param == "folder":
        yield FilesystemArtifacts(tmp_path / "artifacts")
        return
    monkeypatch.setattr(s3, "LARGE", 5 << 20)
    monkeypatch.setattr(s3, "PART", 5 << 20)
    for bucket in new_bucket(monkeypatch):
        yield s3.S3Artifacts(bucket, "some/prefix")


def put(store: ArtifactStore, key: str, content: bytes = BODY) -> None:
    with store.writing(key) as writer:
        writer.write(content)


def keys(store: ArtifactStore, prefix: str = "models") -> list[str]:
    return sorted(file.key for file in store.stored(prefix))


def send(store: ArtifactStore, folder: Path, files: Mapping[str, bytes], claimed: Mapping[str, bytes]) -> None:
    """Upload files as a creator does, whatever was claimed of them."""
    claim = claim_of(files=claimed)
    version = ModelVersion(
        **dict(claim), team="credit-ke", number=1, state=VersionState.PENDING, location=LOCATION, created_at=NOON,
        created_by="amina",
    )  # fmt: skip
    targets = store.targets(LOCATION, claim.artifacts)
    upload_artifacts(Claim(version=version, targets=targets), write_files(folder, files))


def test_a_key_is_written_read_and_removed(store: ArtifactStore) -> None:
    for path, content in (("model.json", BODY), ("golden/rows.json", b"[]"), ("empty.txt", b""), ("large.txt", LARGE)):
        put(store, f"{LOCATION}/{path}", content)
        assert b"".join(store.read(f"{LOCATION}/{path}")) == content
    put(store, "runs/ke-1/log", b"x")
    whole = [f"{LOCATION}/{path}" for path in ("empty.txt", "golden/rows.json", "large.txt", "model.json")]
    assert keys(store) == whole
    assert [file.size for file in store.stored(f"{LOCATION}/golden")] == [2]
    put(store, f"{LOCATION}/model.json", b"{}")
    assert b"".join(store.read(f"{LOCATION}/model.json")) == b"{}"
    for key in keys(store):
        assert store.remove(key)
        assert store.remove(key)
    assert keys(store) == []
    assert keys(store, "runs") == ["runs/ke-1/log"]


def test_what_was_written_again_since_it_was_seen_stays(store: ArtifactStore) -> None:
    put(store, "documents/a", BODY)
    (seen,) = store.stored("documents")
    assert not store.remove("documents/a", if_unmodified_since=seen.modified - timedelta(seconds=2))
    assert keys(store, "documents") == ["documents/a"]
    assert store.remove("documents/a", if_unmodified_since=seen.modified)
    assert keys(store, "documents") == []
    assert store.remove("documents/a", if_unmodified_since=seen.modified)


def test_a_part_is_read(store: ArtifactStore) -> None:
    put(store, "runs/ke-1/log", BODY)
    for start, end in ((0, 0), (0, 1), (3, 9), (len(BODY) - 1, len(BODY)), (5, None), (len(BODY), None)):
        assert b"".join(store.read("runs/ke-1/log", start, end)) == BODY[start:end]


def test_a_file_can_be_sought_in(store: ArtifactStore) -> None:
    put(store, "runs/ke-1/log", LARGE)
    with store.open("runs/ke-1/log") as file:
        assert file.seek(-10, io.SEEK_END) == len(LARGE) - 10
        assert file.read() == LARGE[-10:]
        assert file.seek(300) == 300
        assert file.read(5) == LARGE[300:305]
        assert file.tell() == 305
        file.seek(0)
        assert file.read() == LARGE


def test_what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    with pytest.raises(NotFound):
        store.open(f"{LOCATION}/model.json")
    with pytest.raises(NotFound):
        store.read(f"{LOCATION}/model.json")
    assert keys(store) == []


@pytest.mark.parametrize(
    "key", ["../x", "models/../../x", "/etc/passwd", "models//x", "models/a b", "", "a/.b/c", "a\\b", "a~b"]
)
def test_a_key_leads_nowhere_else(store: ArtifactStore, key: str) -> None:
    with pytest.raises(InvalidData, match="no key"):
        put(store, key)
    with pytest.raises(InvalidData, match="no key"):
        store.remove(key)


@pytest.mark.parametrize("content", [BODY, LARGE], ids=["small", "large"])
def test_a_write_that_fails_leaves_nothing(store: ArtifactStore, content: bytes) -> None:
    with pytest.raises(KeyError), store.writing(f"{LOCATION}/model.json") as writer:  # noqa: PT012 - fails inside
        writer.write(content)
        raise KeyError
    assert keys(store) == []


@pytest.mark.parametrize("content", [BODY, LARGE], ids=["small", "large"])
def test_bytes_are_those_that_are_expected(store: ArtifactStore, content: bytes) -> None:
    key = f"{LOCATION}/model.json"
    for wrong in (content[:-1], content + b"!", content[::-1]):
        with pytest.raises(WrongBytes), store.writing(key, artifact("model.json", content)) as writer:
            writer.write(wrong)
        assert keys(store) == []
    for _ in range(2):
        with store.writing(key, artifact("model.json", content)) as writer:
            for start in range(0, len(content), 1_000_003):
                writer.write(content[start : start + 1_000_003])
        assert keys(store) == [key]


def test_a_creator_sends_files_and_they_are_sealed(store: ArtifactStore, tmp_path: Path) -> None:
    files = {"model.json": BODY, "a/large.txt": LARGE, "a/empty.txt": b""}
    send(store, tmp_path / "made", files, files)
    claimed = [artifact(path, content) for path, content in files.items()]
    store.seal(LOCATION, claimed)
    store.seal(LOCATION, claimed)
    for path, content in files.items():
        assert b"".join(store.read(f"{LOCATION}/{path}")) == content
    assert keys(store) == sorted(f"{LOCATION}/{path}" for path in files)


def test_what_is_missing_is_told(store: ArtifactStore, tmp_path: Path) -> None:
    send(store, tmp_path / "made", {"model.json": BODY}, {"model.json": BODY})
    with pytest.raises(NotUploaded, match=r"card\.md` was not uploaded"):
        store.seal(LOCATION, [artifact("model.json", BODY), artifact("card.md", b"# Card")])


@pytest.mark.parametrize("content", [BODY, LARGE], ids=["small", "large"])
def test_wrong_bytes_are_never_sealed_and_can_be_sent_again(
    store: ArtifactStore, tmp_path: Path, content: bytes
) -> None:
    claimed = {"model.json": content}
    for wrong in (content[:-1], content + b" ", content[:-1] + b"\0"):
        with pytest.raises(WrongBytes, match=r"model\.json"):
            _send_and_seal(store, tmp_path, wrong, claimed)
        with pytest.raises(WrongBytes):
            store.seal(LOCATION, [artifact("model.json", content)])
    send(store, tmp_path / "made", claimed, claimed)
    store.seal(LOCATION, [artifact("model.json", content)])


def _send_and_seal(store: ArtifactStore, folder: Path, wrong: bytes, claimed: Mapping[str, bytes]) -> None:
    # Some stores refuse the bytes as they come, others when the version is completed.
    send(store, folder / "wrong", {"model.json": wrong}, claimed)
    store.seal(LOCATION, [artifact(path, content) for path, content in claimed.items()])


def test_a_url_reads_without_credentials_where_a_store_has_one(store: ArtifactStore) -> None:
    put(store, f"{LOCATION}/model.json")
    url = store.url(f"{LOCATION}/model.json")
    if isinstance(store, FilesystemArtifacts):
        assert url == ""
        return
    with httpx.Client(trust_env=False) as client:
        assert client.get(url).content == BODY
        assert client.get(url.replace("model.json", "other.json")).status_code == 403
        assert client.put(url, content=b"{}").status_code == 403
