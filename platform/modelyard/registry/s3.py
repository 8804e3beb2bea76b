"""Artifacts in a bucket of S3. Creators and readers speak to it themselves, by URLs that are signed here.

A file up to `LARGE` goes in one PUT whose length and SHA-256 are signed into its URL, on the condition that there is
none yet: S3 compares the bytes before they count, and an old URL can never change them. A larger one goes in pieces,
which are put together when the version is completed, on the same condition, and then read and compared: S3 knows no
SHA-256 of a whole that came in pieces. So a key gets bytes once. Where they are wrong all the same they are removed, on
the condition that they are still those that were looked at, so that they can be sent again.

What is unfinished is listed under a name of its own, as files of a dying process are in a folder.
"""

from __future__ import annotations

import hashlib
import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from modelyard.canonical import chunks_digest
from modelyard.errors import Conflict, NotFound, NotUploaded, WrongBytes
from modelyard.registry.artifacts import StoredFile, check_key
from modelyard.registry.records import UploadPart, UploadTarget
from modelyard.s3 import LARGE, PART, Bucket, Differs, Lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from modelyard.registry.artifacts import Writer
    from modelyard.registry.records import Artifact
    from modelyard.s3 import Head, Part

MOST_PIECES = 2_000
"""Pieces of a version: the answer to a claim, with a URL for each, stays below two megabytes."""

URLS_LIVE = 15 * 60
"""Seconds: as long as a file may wait for its turn. Whoever takes longer claims again, and sends what is missing."""

_AT_ONCE = 8
_BUFFER = 1 << 20  # bytes that a seekable file reads at a time
_UNFINISHED = re.compile(r"(?P<folder>.+)/\.(?P<name>[^/~]+)~(?P<upload>[^/~]+)")


class S3Artifacts:
    """Artifacts in a bucket, below a prefix.

    Args:
        bucket: The bucket; an operator makes it, with the rules that `docs/operators-s3.md` names.
        prefix: What our keys begin with.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self._bucket = Bucket(bucket, prefix)

    # What is on its way ----------------------------------------------------------------------------------------

    def targets(self, location: str, artifacts: Sequence[Artifact]) -> tuple[UploadTarget, ...]:
        """See the Protocol. If the process dies, uploads in pieces that were begun are found by the next call."""
        there = {head.key: head.size for head in self._bucket.listed(f"{location}/")}
        begun = self._begun(location) if there or any(artifact.size > LARGE for artifact in artifacts) else {}
        part_size = _part_size(artifacts)
        made = []
        for artifact in artifacts:
            key = _key(location, artifact)
            if there.get(key) == artifact.size:
                continue
            if artifact.size > LARGE:
                made.append(self._in_pieces(key, artifact, part_size, begun.get(key, [])))
            else:
                url, headers = self._bucket.put_url(key, URLS_LIVE, size=artifact.size, sha256=artifact.sha256)
                made.append(UploadTarget(path=artifact.path, url=url, headers=headers))
        return tuple(made)

    def _begun(self, location: str) -> dict[str, list[str]]:
        """The uploads in pieces below a location, by key."""
        found: dict[str, list[str]] = {}
        for upload in self._bucket.uploads(f"{location}/"):
            found.setdefault(upload.key, []).append(upload.id)
        return found

    def _in_pieces(self, key: str, artifact: Artifact, part_size: int, begun: Sequence[str]) -> UploadTarget:
        for upload in begun:
            try:
                arrived = {part.number: part.size for part in self._bucket.parts(key, upload)}
                break
            except NotFound:
                continue  # somebody has completed it, or given it up
        else:
            upload, arrived = self._bucket.begin(key), {}
        missing = (
            UploadPart(number=number, url=self._bucket.part_url(key, upload, number, URLS_LIVE, size=size))
            for number, size in enumerate(_sizes(artifact.size, part_size), start=1)
            if arrived.get(number) != size
        )
        return UploadTarget(path=artifact.path, part_size=part_size, parts=tuple(missing))

    def seal(self, location: str, artifacts: Sequence[Artifact]) -> None:
        """See the Protocol. If the process dies, what was put together stays, and the next call goes on from there."""
        part_size = _part_size(artifacts)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="seal") as pool:
            for sealed in [pool.submit(self._seal_file, location, artifact, part_size) for artifact in artifacts]:
                sealed.result()

    def _seal_file(self, location: str, artifact: Artifact, part_size: int) -> None:
        key = _key(location, artifact)
        head = self._bucket.head(key) or self._put_together(key, artifact, part_size)
        if head is None:
            msg = f"`{artifact.path}` was not uploaded"
            raise NotUploaded(msg, "claim it again: the answer says where to send what is missing, then complete again")
        if problem := self._difference(head, artifact):
            self._bucket.remove(key, etag=head.etag)  # this very one: it may have been replaced by a right one
            msg = f"`{artifact.path}` {problem}"
            raise WrongBytes(msg, "claim it again, and send the file that was claimed")

    def _put_together(self, key: str, artifact: Artifact, part_size: int) -> Head | None:
        """Make the object of its pieces, of the first upload that has them all."""
        expected = list(_sizes(artifact.size, part_size))
        uploads = [upload.id for upload in self._bucket.uploads(key) if upload.key == key]
        for upload in uploads:
            try:
                parts = self._bucket.parts(key, upload)
                if [part.size for part in parts] != expected:
                    continue
                self._bucket.complete(key, upload, parts, absent=True)
            except (NotFound, Differs):
                pass  # somebody else has completed it
            except Lost:
                self._bucket.abort(key, upload)  # its pieces are of no more use: all of them are sent anew
                continue
            break
        head = self._bucket.head(key)
        if head is not None:
            for upload in uploads:
                self._bucket.abort(key, upload)
        return head

    def _difference(self, head: Head, artifact: Artifact) -> str:
        if head.size != artifact.size:
            return f"has {head.size} bytes, and {artifact.size} were claimed"
        found = head.sha256
        if found is None:
            found, _ = chunks_digest(self._bucket.read(head.key, etag=head.etag))
        return "" if found == artifact.sha256 else f"has the SHA-256 {found}, and {artifact.sha256} was claimed"

    # What passes through the registry itself ---------------------------------------------------------------------

    @contextmanager
    def writing(self, key: str, expected: Artifact | None = None) -> Iterator[Writer]:
        """See the Protocol. If the process dies, pieces are left that nobody puts together, for the sweep."""
        check_key(key)
        writer = _Pieces(self._bucket, key, expected)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.give_up()
            raise

    # What is there -----------------------------------------------------------------------------------------------

    def url(self, key: str) -> str:
        check_key(key)
        return self._bucket.get_url(key, URLS_LIVE)

    def open(self, key: str) -> BinaryIO:
        check_key(key)
        head = self._bucket.head(key)
        if head is None:
            msg = f"there is no `{key.rpartition('/')[2]}`"
            raise NotFound(msg)
        return cast("BinaryIO", io.BufferedReader(_Reading(self._bucket, head), _BUFFER))

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        check_key(key)
        return self._bucket.read(key, start, end)

    def stored(self, prefix: str) -> Iterator[StoredFile]:
        for head in self._bucket.listed(f"{prefix}/"):
            yield StoredFile(head.key, head.size, head.modified)
        for upload in self._bucket.uploads(f"{prefix}/"):
            folder, _, name = upload.key.rpartition("/")
            try:
                size = sum(part.size for part in self._bucket.parts(upload.key, upload.id))
            except NotFound:
                continue  # it went while we looked
            yield StoredFile(f"{folder}/.{name}~{upload.id}", size, upload.started)

    def remove(self, key: str, *, if_unmodified_since: datetime | None = None) -> bool:
        check_key(key)
        unfinished = _UNFINISHED.fullmatch(key)
        if unfinished:
            self._bucket.abort(f"{unfinished['folder']}/{unfinished['name']}", unfinished["upload"])
            return True
        if if_unmodified_since is not None:
            # Not by the ETag, which S3 could compare itself: the same bytes, written again, have the same one.
            head = self._bucket.head(key)
            if head is not None and head.modified > if_unmodified_since:
                return False
        self._bucket.remove(key)
        return True


def _key(location: str, artifact: Artifact) -> str:
    return "/".join(check_key(f"{location}/{artifact.path}"))


def _part_size(artifacts: Sequence[Artifact]) -> int:
    """The bytes of a piece: the same for every file of a version, whoever asks."""
    whole = sum(artifact.size for artifact in artifacts)
    return max(LARGE, -(-whole // MOST_PIECES))


def _sizes(size: int, part_size: int) -> Iterator[int]:
    """The bytes of each piece of a file, in order."""
    for start in range(0, size, part_size):
        yield min(part_size, size - start)


class _Pieces:
    """Gathers bytes, and sends them in one PUT, or in pieces where there are many."""

    def __init__(self, bucket: Bucket, key: str, expected: Artifact | None) -> None:
        self._bucket = bucket
        self._key = key
        self._expected = expected
        self._waiting = bytearray()
        self._upload: str | None = None
        self._parts: list[Part] = []
        self._size = 0
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._digest.update(chunk)
        if self._expected is not None and self._size > self._expected.size:
            msg = f"`{self._expected.path}` has more than {self._expected.size} bytes"
            raise WrongBytes(msg, "upload the file that was claimed")
        self._waiting += chunk
        while len(self._waiting) >= PART:
            self._send(bytes(self._waiting[:PART]))
            del self._waiting[:PART]

    def _send(self, piece: bytes) -> None:
        if self._upload is None:
            self._upload = self._bucket.begin(self._key)
        self._parts.append(self._bucket.put_part(self._key, self._upload, len(self._parts) + 1, piece))

    def finish(self) -> None:
        digest = self._digest.hexdigest()
        if self._expected is not None and (self._size, digest) != (self._expected.size, self._expected.sha256):
            msg = f"`{self._expected.path}` has {self._size} bytes with the SHA-256 {digest}, and others were claimed"
            raise WrongBytes(msg, "upload the file that was claimed, whole")
        if self._upload is None:
            self._bucket.put(self._key, bytes(self._waiting), sha256=digest)
            return
        if self._waiting:
            self._send(bytes(self._waiting))
        try:
            self._bucket.complete(self._key, self._upload, self._parts)
        except NotFound:
            head = self._bucket.head(self._key)  # an answer that was lost: it may be done
            if head is None or head.size != self._size:
                msg = f"another write of `{self._key}` was going on"
                raise Conflict(msg, "send it again") from None

    def give_up(self) -> None:
        if self._upload is not None:
            self._bucket.abort(self._key, self._upload)


class _Reading(io.RawIOBase):
    """An object as a file that can be sought in: each read is a range of it, of the same object all the time."""

    def __init__(self, bucket: Bucket, head: Head) -> None:
        self._bucket = bucket
        self._head = head
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._head.size}[whence]
        if base + offset < 0:
            msg = f"{offset} is before the beginning"
            raise ValueError(msg)
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readall(self) -> bytes:
        # One request; the default reads eight kilobytes at a time.
        rest = b"".join(self._bucket.read_of(self._head, self._position, self._head.size))
        self._position = self._head.size
        return rest

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than what Buffer may be
        end = min(self._head.size, self._position + len(buffer))
        read = 0
        for chunk in self._bucket.read_of(self._head, self._position, end):
            buffer[read : read + len(chunk)] = chunk
            read += len(chunk)
        self._position += read
        return read
