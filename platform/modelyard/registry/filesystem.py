"""Artifacts in a folder, for one machine.

A write goes to a temporary name in the key's folder, is flushed to the disk and then renamed. A temporary name starts
with a dot, as no key's part does; one that a dying process left behind is listed, so that a sweep finds it.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import InvalidData, NotFound, NotUploaded, WrongBytes
from modelyard.files import CHUNK, io_errors, sync_folder, writing_whole
from modelyard.registry.artifacts import StoredFile, check_key
from modelyard.registry.records import UploadTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.registry.artifacts import Writer
    from modelyard.registry.records import Artifact

_AT_ONCE = 8
"""Files of a version that are digested and flushed at the same time."""


class FilesystemArtifacts:
    """Artifacts below a folder.

    Args:
        root: The folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._kept: set[Path] = set()

    def targets(self, location: str, artifacts: Sequence[Artifact]) -> tuple[UploadTarget, ...]:
        return tuple(
            UploadTarget(path=artifact.path, url=self._path(f"{location}/{artifact.path}").as_uri())
            for artifact in artifacts
        )

    @contextmanager
    def writing(self, key: str, expected: Artifact | None = None) -> Iterator[Writer]:
        path = self._path(key)
        with writing_whole(path) as file:
            writer = _CheckedWriter(path, file, expected)
            yield writer
            writer.check()
        sync_folder(path.parent.parent)  # the key's folder may be new in it
        self._keep_above(path.parent.parent)

    def seal(self, location: str, artifacts: Sequence[Artifact]) -> None:
        folder = self._path(location)
        holders = {folder / holder for artifact in artifacts for holder in PurePosixPath(artifact.path).parents}
        # All at once: a disk that is asked to flush several files together does it as fast as one of them.
        pool = _pool(os.getpid())
        sealed = [pool.submit(_seal_file, folder / artifact.path, artifact) for artifact in artifacts]
        synced = [pool.submit(sync_folder, holder) for holder in (*holders, folder.parent)]
        wait([*sealed, *synced])
        for task in (*sealed, *synced):
            task.result()
        self._keep_above(folder.parent)

    def _keep_above(self, folder: Path) -> None:
        """Make the names of a folder and of those above it survive a loss of power; once for each."""
        for holder in folder.parents:
            if holder in self._kept:
                return
            sync_folder(holder)
            self._kept.add(holder)  # it is not removed while what it holds is in use
            if holder == self._root:
                return

    def url(self, key: str) -> str:  # noqa: ARG002 - every key lies behind the registry
        return ""

    def open(self, key: str) -> BinaryIO:
        path = self._path(key)
        with io_errors(path):
            return path.open("rb")

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        path = self._path(key)
        with io_errors(path):
            size = path.stat().st_size  # who asks learns now that it is missing; the file is opened when it is read
        return _chunks(path, start, size if end is None else end)

    def stored(self, prefix: str) -> Iterator[StoredFile]:
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                path = Path(folder, name)
                key = path.relative_to(self._root).as_posix()
                with suppress(FileNotFoundError, InvalidData):  # it went while we looked, or is none of ours
                    status = self._path(key).stat()
                    yield StoredFile(key, status.st_size, _modified(status))

    def remove(self, key: str, *, if_unmodified_since: datetime | None = None) -> bool:
        path = self._path(key)
        with io_errors(path), suppress(FileNotFoundError):
            if if_unmodified_since is not None and _modified(path.stat()) > if_unmodified_since:
                return False
            path.unlink()
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                break  # it holds other keys, or got one just now
        return True

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*check_key(key))


def _modified(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:  # noqa: ARG001 - a fork has none of its parent's threads
    """The threads of a process that wait for the disk; making them anew would take longer than most waits."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="seal")


class _CheckedWriter:
    """Counts and digests what passes, where something is expected of it."""

    def __init__(self, path: Path, file: BinaryIO, expected: Artifact | None) -> None:
        self._path = path
        self._file = file
        self._expected = expected
        self._size = 0
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._expected is not None:
            if self._size > self._expected.size:
                raise _wrong_size(self._expected, f"more than {self._expected.size}")
            self._digest.update(chunk)
        with io_errors(self._path):
            self._file.write(chunk)

    def check(self) -> None:
        if self._expected is not None:
            _compare(self._expected, self._size, self._digest.hexdigest())


def _seal_file(path: Path, artifact: Artifact) -> None:
    try:
        with io_errors(path), path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest() if size == artifact.size else ""
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o444)  # against accidents; who reads it checks it anyway
    except NotFound as error:
        msg = f"`{artifact.path}` was not uploaded"
        raise NotUploaded(msg, "upload it to its target, then complete again") from error
    _compare(artifact, size, digest)


def _compare(artifact: Artifact, size: int, digest: str) -> None:
    if size != artifact.size:
        raise _wrong_size(artifact, str(size))
    if digest != artifact.sha256:
        msg = f"`{artifact.path}` has the SHA-256 {digest}, and {artifact.sha256} was claimed"
        raise WrongBytes(msg, "upload the file that was claimed")


def _wrong_size(artifact: Artifact, size: str) -> WrongBytes:
    msg = f"`{artifact.path}` has {size} bytes, and {artifact.size} were claimed"
    return WrongBytes(msg, "upload the file that was claimed, whole")


def _chunks(path: Path, start: int, end: int) -> Iterator[bytes]:
    with io_errors(path), path.open("rb") as file:
        file.seek(start)
        while (left := end - file.tell()) > 0 and (chunk := file.read(min(CHUNK, left))):
            yield chunk
