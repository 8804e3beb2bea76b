"""Datasets in a bucket of S3.

    <prefix>/<dataset>/_files/<staging>/*.parquet             what was uploaded; invisible until a manifest names it
    <prefix>/<dataset>/_manifests/<partition>/<number>.json   what was published; the greatest number wins

A partition is written into a folder of this machine, uploaded, and published by a manifest that is created on the
condition that there is none of its number. So two publishers at once get different numbers, and whoever dies at any
point leaves either the old state or the new one, and objects that nobody names until the sweep removes them.

Readers get files of this machine: every object is fetched into a cache, by its digest, once. So what reads Parquet
opens no connection, needs no credentials, and works the same as on a folder.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from modelyard.canonical import chunks_digest
from modelyard.datasets.folders import scratch_folder
from modelyard.datasets.manifests import (
    FILES,
    MANIFESTS,
    describe_files,
    describe_partition,
    manifest_name,
    parse_manifest,
)
from modelyard.datasets.names import checked_dataset, checked_partition
from modelyard.datasets.store import DataFile, Manifest
from modelyard.errors import IntegrityError, NotFound
from modelyard.filecache import FileCache, Wanted
from modelyard.files import io_errors
from modelyard.s3 import Bucket, Differs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.s3 import Head

_AT_ONCE = 8

_STALE = 3600.0
"""Seconds after which an upload is made again before it is published: a sweep goes by how old objects are, and a
process that stood still for days must not publish what is gone."""

_FILE = re.compile(rf"(?P<dataset>.+)/{FILES}/(?P<staging>[^/]+)/[^/]+")


class S3Datasets:
    """Datasets in a bucket, below a prefix.

    Args:
        bucket: The bucket.
        prefix: What our keys begin with.
        cache: Where readers find files.
        scratch: A folder of this machine to write partitions into before they are uploaded.
    """

    def __init__(self, bucket: str, prefix: str, *, cache: FileCache, scratch: Path) -> None:
        self._bucket = Bucket(bucket, prefix)
        self._cache = cache
        self._scratch = scratch

    @contextmanager
    def stage(self, dataset: str) -> Iterator[S3Staging]:
        """A folder of one's own to write Parquet files into; it is removed at its end.

        If the process dies, nothing was published. The folder goes with the next one's making, and what was uploaded
        with a `sweep`.
        """
        checked_dataset(dataset)
        with scratch_folder(self._scratch) as folder:
            yield S3Staging(self._bucket, dataset, folder)

    def manifest(self, dataset: str, partition: str) -> Manifest | None:
        """The newest manifest of a partition; None where nothing was published."""
        folder = _manifests(checked_dataset(dataset), checked_partition(partition))
        while keys := _keys(self._bucket, folder):
            try:
                return _read_manifest(self._bucket, keys[-1])
            except NotFound:
                continue  # it was replaced and swept since it was listed
        return None

    def partitions(self, dataset: str) -> Sequence[str]:
        """The published partitions of a dataset, in order; no manifest is read."""
        return sorted(self._bucket.folders(f"{checked_dataset(dataset)}/{MANIFESTS}/"))

    def files(self, manifest: Manifest) -> Sequence[str]:
        """The paths of a manifest's files on this machine, fetched and verified where they are not there yet.

        Raises:
            IntegrityError: A file is missing, or its bytes differ.
            StorageFull: There is no room on this machine.
            Unavailable: The store does not answer.
        """
        return [str(path) for path in self._cache.fetch([self._wanted(manifest, file) for file in manifest.files])]

    def _wanted(self, manifest: Manifest, file: DataFile) -> Wanted:
        name = f"{manifest.dataset} of {manifest.partition}: {file.path}"
        read = partial(self._read, name, _key(manifest, file))
        return Wanted(file.sha256, ".parquet", file.size, file.sha256, read, name)

    def _read(self, name: str, key: str) -> Iterator[bytes]:
        try:
            return self._bucket.read(key)
        except NotFound as error:
            reason = f"{name} is missing"
            raise IntegrityError(reason, "publish the partition again") from error

    def presigned(self, manifest: Manifest, seconds: int) -> Sequence[str]:
        """URLs that open a manifest's files, in their order, and nothing else, for so many seconds."""
        return [self._bucket.get_url(_key(manifest, file), seconds) for file in manifest.files]

    def verify(self, manifest: Manifest) -> None:
        """Check that every object is there with the size and the bytes that its manifest names; all are read.

        Raises:
            IntegrityError: An object is missing, or its bytes differ.
        """
        for file in manifest.files:
            name = f"{manifest.dataset} of {manifest.partition}: {file.path}"
            found, size = chunks_digest(self._read(name, _key(manifest, file)))
            if size != file.size:
                reason = f"{name} has {size} bytes instead of {file.size}"
                raise IntegrityError(reason, "publish the partition again")
            if found != file.sha256:
                reason = f"{name} has other bytes than were published"
                raise IntegrityError(reason, "publish the partition again")

    def sweep(self, *, older_than: datetime, dry_run: bool = True) -> Mapping[str, int]:
        """Remove what no newest manifest names, and what dead processes uploaded.

        A manifest that was the newest at `older_than` or later stays, with its files: somebody may be reading them.
        If the process dies, the next sweep removes the rest.

        Args:
            older_than: Whatever changed since then stays.
            dry_run: Remove nothing, only say what would be.

        Returns:
            The objects that were removed, or would be, with their bytes; unfinished uploads among them.
        """
        removed: dict[str, int] = {}
        for dataset, files in sorted(_old_files(self._bucket, older_than).items()):
            # Read after the files were listed: what was published since then is named by now.
            kept, replaced = _kept_and_replaced(self._bucket, dataset, older_than)
            unnamed = [head for staging, heads in files.items() if staging not in kept for head in heads]
            removed |= {head.key: head.size for head in (*replaced, *unnamed)}
        if not dry_run:
            for key in removed:
                self._bucket.remove(key)
        for upload in list(self._bucket.uploads()):
            if upload.started < older_than:
                removed[f"{upload.key} (unfinished)"] = 0
                if not dry_run:
                    self._bucket.abort(upload.key, upload.id)
        return removed


class S3Staging:
    """A folder whose Parquet files can be published. Made by `S3Datasets.stage`."""

    def __init__(self, bucket: Bucket, dataset: str, folder: Path) -> None:
        self._bucket = bucket
        self._dataset = dataset
        self._folder = folder
        self.path = folder / FILES / folder.name  # as the keys will have it
        self.path.mkdir(parents=True)
        self._files: tuple[DataFile, ...] = ()
        self._uploaded = 0.0

    def publish(
        self, partition: str, *, where: dict[str, tuple[str, str]] | None = None, details: dict[str, Any] | None = None
    ) -> Manifest:
        """Upload the staged files, once, and make them a partition's newest state.

        If the process dies before the return, either the partition is published whole, or not at all.

        Raises:
            InvalidData: Nothing was staged, or a file is not a whole Parquet file.
            StorageFull: There is no room on this machine.
            Unavailable: The store does not answer; the partition may be published all the same.
        """
        checked_partition(partition)
        with io_errors(self.path):
            self._files = self._files or describe_files(self._dataset, self.path, self._folder)
            described = describe_partition(self._files, self._folder, where=where, details=details)
            self._upload(self._files)
        return _commit(self._bucket, self._dataset, partition, described)

    def _upload(self, files: Sequence[DataFile]) -> None:
        if time.time() - self._uploaded < _STALE:
            return
        begun = time.time()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="publish") as pool:
            for sent in [
                pool.submit(
                    self._bucket.put_file, f"{self._dataset}/{file.path}", self._folder / file.path, file.sha256
                )
                for file in files
            ]:
                sent.result()
        self._uploaded = begun


def _commit(bucket: Bucket, dataset: str, partition: str, described: dict[str, Any]) -> Manifest:
    """Give a manifest the next free number; one that somebody else took in the meantime is passed over."""
    folder = _manifests(dataset, partition)
    while True:
        keys = _keys(bucket, folder)
        number = int(PurePosixPath(keys[-1]).stem) + 1 if keys else 1
        manifest = Manifest(
            dataset=dataset, partition=partition, number=number, published_at=datetime.now(UTC), **described
        )
        key, content = f"{folder}{manifest_name(number)}", manifest.model_dump_json(by_alias=True).encode()
        try:
            bucket.put(key, content, sha256=hashlib.sha256(content).hexdigest(), absent=True)
        except Differs:
            if not _is_ours(bucket, key, content):
                continue
        return manifest


def _is_ours(bucket: Bucket, key: str, content: bytes) -> bool:
    """Whether a manifest that is there is the one that was sent, and its answer was lost."""
    try:
        return b"".join(bucket.read(key)) == content
    except NotFound:
        return False  # it was another one, and is swept already


def _manifests(dataset: str, partition: str) -> str:
    return f"{dataset}/{MANIFESTS}/{partition}/"


def _keys(bucket: Bucket, folder: str) -> list[str]:
    """The keys of a partition's manifests, in the order of their numbers."""
    return [head.key for head in bucket.listed(folder)]


def _key(manifest: Manifest, file: DataFile) -> str:
    return f"{manifest.dataset}/{file.path}"


def _read_manifest(bucket: Bucket, key: str) -> Manifest:
    path = PurePosixPath(key)
    return parse_manifest(b"".join(bucket.read(key)), path.parent.name, path.name)


def _old_files(bucket: Bucket, older_than: datetime) -> dict[str, dict[str, list[Head]]]:
    """The staged objects that are old, by dataset and staging; datasets whose manifests alone are old have none."""
    found: dict[str, dict[str, list[Head]]] = defaultdict(lambda: defaultdict(list))
    for head in bucket.listed():
        match = _FILE.fullmatch(head.key)
        if match and head.modified < older_than:
            found[match["dataset"]][match["staging"]].append(head)
    return found


def _kept_and_replaced(bucket: Bucket, dataset: str, older_than: datetime) -> tuple[set[str], list[Head]]:
    """The stagings that must stay, and the manifests that were replaced before `older_than`."""
    by_partition: dict[str, list[Head]] = defaultdict(list)
    for head in bucket.listed(f"{dataset}/{MANIFESTS}/"):
        by_partition[PurePosixPath(head.key).parent.name].append(head)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sweep") as pool:
        judged = list(pool.map(partial(_judged, bucket, older_than), by_partition.values()))
    named = {PurePosixPath(file.path).parent.name for kept, _ in judged for manifest in kept for file in manifest.files}
    return named, [head for _, replaced in judged for head in replaced]


def _judged(bucket: Bucket, older_than: datetime, heads: Sequence[Head]) -> tuple[list[Manifest], list[Head]]:
    """Of a partition's manifests, those that must stay, and those that were replaced before `older_than`."""
    kept: list[Manifest] = []
    for index in reversed(range(len(heads))):
        if kept and kept[-1].published_at < older_than:
            return kept, list(heads[: index + 1])
        try:
            kept.append(_read_manifest(bucket, heads[index].key))
        except NotFound:
            continue  # another sweep was quicker
    return kept, []
