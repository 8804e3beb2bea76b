"""Artifacts in S3: what the store and its network do to uploads, and what creators that die leave."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from modelyard import s3 as buckets
from modelyard.errors import NotFound, NotUploaded, Unavailable, WrongBytes
from modelyard.registry import presigned, s3
from modelyard.registry.http import HttpRegistry
from modelyard.registry.local import LocalRegistry
from modelyard.registry.records import VersionState
from modelyard.registry.s3 import S3Artifacts
from modelyard.registry.sweep import Sweep
from modelyard.registry.transfer import register_version, upload_artifacts
from tests.buckets import new_bucket, use_s3
from tests.proxies.http import PASS, Fault, FaultyProxy
from tests.registries import serving
from tests.registry.making import BODY, apply, claim_of, write_files
from tests.registry.places import Place
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.records import Claim, UploadPart

pytestmark = pytest.mark.server

PIECE = 5 << 20  # the least that S3 takes as a piece that is not the last
LARGE = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range((2 * PIECE + 1000) // 32))
LARGE = b'["' + LARGE.hex().encode()[: 2 * PIECE + 1000] + b'"]'
"""JSON of three pieces."""
FILES = {"model.json": LARGE, "card.md": b"# Card\n"}


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "LARGE", PIECE)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


@pytest.fixture
def proxy(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:  # noqa: ARG001 - made before it
    with FaultyProxy(address_of("TEST_S3_URL")) as between:
        use_s3(monkeypatch, between.url)
        yield between


def open_registry(home: Path, bucket: str) -> LocalRegistry:
    return LocalRegistry(Place(home).metadata(), S3Artifacts(bucket), actor="amina")


@pytest.fixture
def registry(tmp_path: Path, bucket: str) -> LocalRegistry:
    made = open_registry(tmp_path / "home", bucket)
    apply(made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "made", FILES)


def whole(registry: LocalRegistry, number: int = 1) -> None:
    for path, content in FILES.items():
        assert b"".join(registry.read_artifact("ke", number, path)) == content


def pieces_sent(proxy: FaultyProxy) -> int:
    return sum(method == "PUT" and "partNumber" in path for method, path in proxy.requests)


def test_a_busy_store_is_asked_again(proxy: FaultyProxy, registry: LocalRegistry, folder: Path) -> None:
    count = 0

    def every_third(_method: str, _path: str) -> Fault:
        nonlocal count
        count += 1
        return (PASS, Fault(status=503, code="SlowDown"), Fault(status=500, code="InternalError"))[count % 3]

    proxy.decide = every_third
    version = register_version(registry, claim_of(files=FILES), folder)
    assert version.state is VersionState.READY
    whole(registry)
    assert proxy.faults > 5


def test_a_store_that_stays_busy_is_told_with_when_to_try_again(
    proxy: FaultyProxy, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.retries.retried.__kwdefaults__", {"deadline": 0.3})
    registry.claim(claim_of())
    proxy.decide = lambda _method, _path: Fault(status=503)
    with serving(registry) as service, httpx.Client(base_url=service.url, trust_env=False) as client:
        answer = client.post("/v1/models/ke/versions/1/complete")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert registry.versions("ke").items == ()


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_torn_upload_is_never_seen_and_goes_on(
    proxy: FaultyProxy, registry: LocalRegistry, folder: Path, monkeypatch: pytest.MonkeyPatch, part: float
) -> None:
    monkeypatch.setattr(presigned, "DEADLINE", 0.5)
    monkeypatch.setattr(presigned.Presigned.__init__, "__kwdefaults__", {"deadline": 0.5})
    claimed = registry.claim(claim_of(files=FILES))
    proxy.decide = lambda method, _path: Fault(tear=part) if method == "PUT" else PASS
    with pytest.raises(Unavailable):
        upload_artifacts(claimed, folder)
    with pytest.raises(NotUploaded):
        registry.complete("ke", 1)
    with pytest.raises(NotFound):
        registry.version("ke", 1)
    proxy.first(2, Fault(tear=part), method="PUT")
    assert register_version(registry, claim_of(files=FILES), folder).number == 1
    whole(registry)


def test_an_answer_that_is_lost_is_no_second_upload(proxy: FaultyProxy, registry: LocalRegistry, folder: Path) -> None:
    proxy.first(1, Fault(swallow=True), method="PUT", path="card.md")
    assert register_version(registry, claim_of("one", files=FILES), folder).number == 1
    proxy.first(1, Fault(swallow=True), method="POST", path="uploadId")
    assert register_version(registry, claim_of("two", files=FILES), folder).number == 2
    assert proxy.faults == 2
    whole(registry, 2)


def test_a_conflict_is_sent_again(proxy: FaultyProxy, registry: LocalRegistry, folder: Path) -> None:
    proxy.first(2, Fault(status=409, code="ConditionalRequestConflict"), method="PUT")
    assert register_version(registry, claim_of(files=FILES), folder).number == 1
    assert proxy.faults == 2


def test_a_conflict_on_completing_starts_all_pieces_anew(
    proxy: FaultyProxy, registry: LocalRegistry, folder: Path, bucket: str
) -> None:
    proxy.first(1, Fault(status=409, code="ConditionalRequestConflict"), method="POST", path="uploadId")
    assert register_version(registry, claim_of(files=FILES), folder).number == 1
    assert pieces_sent(proxy) == 6
    whole(registry)
    assert list(buckets.Bucket(bucket).uploads()) == []


def test_only_what_is_missing_is_sent_again(proxy: FaultyProxy, registry: LocalRegistry, folder: Path) -> None:
    proxy.first(1, Fault(status=403, code="AccessDenied"), path="partNumber=2")  # as an expired URL is answered
    assert register_version(registry, claim_of(files=FILES), folder).number == 1
    assert pieces_sent(proxy) == 4
    whole(registry)


def test_an_old_url_changes_nothing(registry: LocalRegistry, folder: Path) -> None:
    claimed = registry.claim(claim_of(files=FILES))
    upload_artifacts(claimed, folder)
    registry.complete("ke", 1)
    with httpx.Client(trust_env=False) as client:
        for target in claimed.targets:
            content = FILES[target.path]
            for url in filter(None, (target.url, *(part.url for part in target.parts))):
                for sent in (content, content[::-1], b"", content[:PIECE]):
                    assert client.put(url, content=sent, headers=target.headers).status_code in (400, 403, 404, 412)
    whole(registry)


def test_wrong_pieces_are_refused_and_sent_again(registry: LocalRegistry, tmp_path: Path, folder: Path) -> None:
    wrong = write_files(tmp_path / "wrong", {**FILES, "model.json": LARGE[:-3] + b'x"]'})
    claimed = registry.claim(claim_of(files=FILES))
    upload_artifacts(claimed, wrong)
    with pytest.raises(WrongBytes, match=r"model\.json.*SHA-256"):
        registry.complete("ke", 1)
    assert registry.versions("ke").items == ()
    assert register_version(registry, claim_of(files=FILES), folder).number == 1
    whole(registry)


def test_two_creators_of_one_claim_make_one_version(registry: LocalRegistry, folder: Path) -> None:
    first, second = registry.claim(claim_of(files=FILES)), registry.claim(claim_of(files=FILES))
    assert [part.url.partition("X-Amz")[0] for part in _large(first)] == [
        part.url.partition("X-Amz")[0] for part in _large(second)
    ], "they share an upload"
    upload_artifacts(first, folder)
    assert registry.claim(claim_of(files=FILES)).targets[0].parts == ()
    assert registry.complete("ke", 1) == registry.complete("ke", 1)
    whole(registry)


def _large(claim: Claim) -> tuple[UploadPart, ...]:
    return next(target.parts for target in claim.targets if target.path == "model.json")


def test_bytes_bypass_the_service(proxy: FaultyProxy, registry: LocalRegistry, folder: Path, tmp_path: Path) -> None:
    with serving(registry) as service, closing(HttpRegistry(service.url)) as client:
        register_version(client, claim_of(files=FILES), folder)
        before = len(proxy.requests)
        client.download_artifact("ke", 1, "model.json", tmp_path / "got.json")
        assert (tmp_path / "got.json").read_bytes() == LARGE
        assert b"".join(client.read_artifact("ke", 1, "model.json", start=5, end=9)) == LARGE[5:9]
        assert all("X-Amz-Signature" in path for _, path in proxy.requests[before:])
        with httpx.Client(base_url=service.url, trust_env=False) as plain:
            assert plain.get("/v1/models/ke/versions/1/artifacts/card.md").content == FILES["card.md"]


def test_what_is_unfinished_goes_with_its_claim(
    registry: LocalRegistry, folder: Path, tmp_path: Path, bucket: str
) -> None:
    claimed = registry.claim(claim_of(files=FILES))
    upload_artifacts(claimed, folder)
    register_version(registry, claim_of("kept", files={"model.json": BODY}), write_files(tmp_path / "kept"))
    left = buckets.Bucket(bucket)
    left.begin(f"{registry.version('ke', 2).location}/model.json")
    metadata = Place(tmp_path / "home").metadata()
    now = datetime.now(UTC) + timedelta(days=2)
    removed = Sweep(metadata, S3Artifacts(bucket), now=now, actor="sweep", dry_run=False).run()
    metadata.close()
    assert sorted(one.kind for one in removed) == ["claim", "file"]
    assert max(one.size for one in removed) > 2 * PIECE
    assert list(left.uploads()) == []
    assert len(list(left.listed())) == 1


NURSERY = """
# Forks a creator for each number read: it registers a version and dies, as if by kill -9, at its Nth step.
import os, sys
from pathlib import Path
import boto3
import modelyard.s3 as buckets
import modelyard.registry.transfer as transfer
from modelyard.registry import s3
from modelyard.registry.presigned import Presigned
from modelyard.registry.sqlite.database import Database
from tests.registry.making import claim_of
from tests.registry.test_s3 import FILES, PIECE, open_registry

home, bucket, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
s3.LARGE = PIECE
transfer.SENDERS = 1
steps = when = 0

def stepping(function):
    def both(*arguments, **options):
        global steps
        for half in (0, 1):
            steps += 1
            if steps == when:
                os._exit(137)
            if not half:
                result = function(*arguments, **options)
        return result
    return both

for name in ("begin", "complete", "remove", "abort"):
    setattr(buckets.Bucket, name, stepping(getattr(buckets.Bucket, name)))
Presigned.put = stepping(Presigned.put)
Database.writing = stepping(Database.writing)
for line in sys.stdin:
    when = int(line)
    child = os.fork()
    if child == 0:
        transfer.register_version(open_registry(home, bucket), claim_of("the key", files=FILES), folder)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.timeout(300)
def test_killed_at_every_step_nothing_is_half_and_the_key_goes_on(
    registry: LocalRegistry, folder: Path, tmp_path: Path, bucket: str
) -> None:
    command = [sys.executable, "-c", NURSERY, str(tmp_path / "home"), bucket, str(folder)]
    root = Path(__file__).parents[2]
    step, code = 0, 137
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ.copy()
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        while code == 137:
            step += 1
            nursery.stdin.write(f"{step}\n")
            nursery.stdin.flush()
            code = int(nursery.stdout.readline())
            for version in registry.versions("ke").items:
                assert version.number == 1
                whole(registry)
    assert code == 0
    assert step > 3
    assert [version.number for version in registry.versions("ke").items] == [1]
    assert list(buckets.Bucket(bucket).uploads()) == []
