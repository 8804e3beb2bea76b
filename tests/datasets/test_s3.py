"""Datasets in S3: what a store and its network do to them, and what a process that dies leaves."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard import s3
from modelyard.aws import make_client
from modelyard.datasets.s3 import S3Datasets
from modelyard.errors import IntegrityError, Unavailable, UsageError
from modelyard.filecache import FileCache
from tests.buckets import new_bucket, use_s3
from tests.datasets.stores import DATASET, DAY, LATER, publish, values
from tests.proxies.http import Fault, FaultyProxy
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


def open_store(bucket: str, folder: Path) -> S3Datasets:
    return S3Datasets(bucket, "", cache=FileCache(folder / "cache"), scratch=folder / "staging")


@pytest.fixture
def store(bucket: str, tmp_path: Path) -> S3Datasets:
    return open_store(bucket, tmp_path)


@pytest.fixture
def proxy(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:  # noqa: ARG001 - made before it
    with FaultyProxy(address_of("TEST_S3_URL")) as between:
        use_s3(monkeypatch, between.url)
        yield between


def everything(bucket: str) -> list[str]:
    listed = s3.Bucket(bucket)
    return [head.key for head in listed.listed()] + [upload.key for upload in listed.uploads()]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: None, "is missing"),
        (lambda content: content + b"x", "bytes instead of"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "other bytes"),
    ],
)
def test_damage_is_found_and_never_read(
    store: S3Datasets, bucket: str, damage: Callable[[bytes], bytes | None], words: str
) -> None:
    manifest = publish(store, [1, 2, 3])
    objects = s3.Bucket(bucket)
    key = f"{DATASET}/{manifest.files[0].path}"
    content = damage(b"".join(objects.read(key)))
    objects.remove(key) if content is None else objects.put(key, content)
    with pytest.raises(IntegrityError, match=words):
        store.files(manifest)
    with pytest.raises(IntegrityError, match=words):
        store.verify(manifest)


def test_a_damaged_manifest_is_named(store: S3Datasets, bucket: str) -> None:
    publish(store, [1])
    s3.Bucket(bucket).put(f"{DATASET}/_manifests/{DAY}/00000002.json", b"{}")
    with pytest.raises(IntegrityError, match="of 2026-01-31 is damaged"):
        store.manifest(DATASET, DAY)


def test_urls_open_a_manifests_objects_and_nothing_else(store: S3Datasets) -> None:
    manifest, other = publish(store, [1, 2, 3]), publish(store, [4], "2026-02-01")
    (url,) = store.presigned(manifest, 60)
    with httpx.Client(trust_env=False) as client:
        content = client.get(url).content
        assert len(content) == manifest.files[0].size
        for changed in (
            url.replace(manifest.files[0].path, other.files[0].path),
            url.partition("?")[0],
            url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        ):
            assert client.get(changed).status_code == 403, changed
        assert client.put(url, content=b"x").status_code == 403
        assert client.delete(url).status_code == 403
    store.verify(manifest)


def test_a_large_file_goes_in_pieces(store: S3Datasets, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "LARGE", 5 << 20)
    noise = list(range(1_500_000))
    manifest = publish(store, noise)
    assert manifest.files[0].size > 5 << 20
    assert values(store) == noise
    assert len(everything(bucket)) == 2


def test_what_fails_in_passing_is_sent_again(proxy: FaultyProxy, bucket: str, tmp_path: Path) -> None:
    store = open_store(bucket, tmp_path)
    proxy.first(3, Fault(status=503, code="SlowDown"))
    publish(store, [1])
    proxy.first(3, Fault(status=500, code="InternalError"), method="GET")
    assert values(store) == [1]
    proxy.first(2, Fault(tear=0.5), method="PUT")
    publish(store, [2])
    assert values(store) == [2]
    proxy.first(1, Fault(status=409, code="ConditionalRequestConflict"), path="_manifests")
    assert publish(store, [3]).number == 3


def test_a_publication_whose_answer_is_lost_is_one_publication(proxy: FaultyProxy, bucket: str, tmp_path: Path) -> None:
    store = open_store(bucket, tmp_path)
    publish(store, [1])
    proxy.first(1, Fault(swallow=True), method="PUT", path="_manifests")
    assert publish(store, [2]).number == 2
    assert proxy.faults == 1
    assert values(store) == [2]
    manifest = store.manifest(DATASET, DAY)
    assert manifest is not None
    assert manifest.number == 2


def test_a_store_that_stays_busy_is_given_up_and_told(
    proxy: FaultyProxy, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.retries.retried.__kwdefaults__", {"deadline": 0.3})
    store = open_store(bucket, tmp_path)
    proxy.first(1000, Fault(status=503))
    with pytest.raises(Unavailable, match="SlowDown"):
        publish(store, [1])
    proxy.first(0, Fault())
    assert store.partitions(DATASET) == []


def test_a_bucket_that_is_not_there_is_named(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{bucket}-other"):
        open_store(f"{bucket}-other", tmp_path).partitions(DATASET)


NURSERY = """
# Forks a publisher for each number read: it dies, as if by kill -9, at its Nth step.
import os, shutil, sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
import boto3
import modelyard.s3 as s3
from tests.datasets.test_s3 import open_store

bucket, folder = sys.argv[1], Path(sys.argv[2])
steps = when = 0

def step():
    global steps
    steps += 1
    if steps == when:
        os._exit(137)

def stepping(function):
    def both(*arguments, **options):
        step()
        result = function(*arguments, **options)
        step()
        return result
    return both

made = folder / "made.parquet"
pq.write_table(pa.table({"value": np.random.default_rng(1).integers(0, 1 << 60, 700_000)}), made)
s3.LARGE = 5 << 20
for name in ("begin", "put", "put_part", "complete"):
    setattr(s3.Bucket, name, stepping(getattr(s3.Bucket, name)))
for line in sys.stdin:
    when = int(line)
    child = os.fork()
    if child == 0:
        with open_store(bucket, folder).stage("predictions/ke_loan_default/7") as staging:
            pq.write_table(pa.table({"value": [7, 8]}), staging.path / "part-0.parquet")
            shutil.copy(made, staging.path / "part-1.parquet")
            staging.publish("2026-01-31")
            staging.publish("2026-02-01")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.timeout(300)
def test_killed_at_every_step_readers_see_the_whole_old_or_the_whole_new(
    store: S3Datasets, bucket: str, tmp_path: Path
) -> None:
    publish(store, [1])
    publish(store, [1], "2026-02-01")
    step, seen, verified = 0, set(), set()
    command = [sys.executable, "-c", NURSERY, bucket, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        code = 137
        while code == 137:
            step += 1
            nursery.stdin.write(f"{step}\n")
            nursery.stdin.flush()
            code = int(nursery.stdout.readline())
            manifests = [store.manifest(DATASET, day) for day in (DAY, "2026-02-01")]
            for manifest in manifests:
                assert manifest
                if manifest.digest not in verified:
                    store.verify(manifest)
                    verified.add(manifest.digest)
            seen.add(tuple(manifest.rows for manifest in manifests if manifest))
    assert code == 0
    assert step > 8
    assert seen == {(1, 1), (700_002, 1), (700_002, 700_002)}
    store.sweep(older_than=LATER, dry_run=False)
    assert store.sweep(older_than=LATER) == {}
    assert len(everything(bucket)) == 4, "two manifests, and the two files that both name"
    publish(store, [2])
    assert values(store) == [2]


def test_an_upload_that_is_old_is_made_again_before_it_is_published(
    store: S3Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.datasets.s3._STALE", 0)
    with store.stage(DATASET) as staging:
        pq.write_table(pa.table({"value": [7]}), staging.path / "part-0.parquet")
        first = staging.publish(DAY)
        publish(store, [8])
        store.sweep(older_than=LATER, dry_run=False)
        with pytest.raises(IntegrityError):
            store.verify(first)
        staging.publish("2026-02-01")
    assert values(store, "2026-02-01") == [7]


def test_objects_of_others_in_the_bucket_stay(store: S3Datasets, bucket: str) -> None:
    publish(store, [1])
    make_client("s3").put_object(Bucket=bucket, Key="somebody/else.txt", Body=b"x")
    assert store.sweep(older_than=LATER, dry_run=False) == {}
    assert "somebody/else.txt" in everything(bucket)
