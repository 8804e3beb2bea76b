"""A bucket of S3, or of a server that speaks its protocol, below a prefix: the calls that the stores here are made of.

Every call is retried in `modelyard.retries`, and only calls that may be made twice are: a write names the digest of its
bytes, or a condition. After a reply that was lost, a condition fails on our own bytes; so whoever meets a failed one
compares what is there.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelyard.aws import code_of, make_client, meanings
from modelyard.errors import Conflict, NotFound, Unavailable
from modelyard.files import CHUNK
from modelyard.retries import retried

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

PART = 8 << 20
"""Bytes of a piece of what is written without knowing its size: 10,000 of them, the most there may be, are 80 GiB."""

LARGE = 64 << 20
"""Bytes of a file, and of a piece of it, that are sent in one request."""

_PIECES = 2  # of one file at the same time: each is in memory
_COMPLETING = 120.0  # seconds: a server may copy the pieces together before it answers
_LOST = frozenset({
    "ConditionalRequestConflict", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "OperationAborted",
})  # fmt: skip
"""Codes of an upload that can't be completed (any more)."""

_GONE = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_DIFFERS = "PreconditionFailed"


class Differs(Conflict):
    """An object that a condition names is not as the condition says; nothing was changed."""


class Lost(Conflict):
    """An upload in pieces can't become an object (any more)."""


@dataclass(frozen=True)
class Head:
    """What a bucket says of an object."""

    key: str
    size: int
    """Bytes."""
    etag: str
    modified: datetime
    sha256: str | None = None
    """64 hexadecimal characters, where the server compared the whole object's bytes with it."""


@dataclass(frozen=True)
class Upload:
    """An upload in pieces that is not completed."""

    key: str
    id: str
    started: datetime


@dataclass(frozen=True)
class Part:
    """A piece that has arrived."""

    number: int
    etag: str
    size: int
    """Bytes."""


class Bucket:
    """A bucket, below a prefix; keys here are what follows the prefix. Threads may share it.

    Args:
        name: The bucket.
        prefix: What our keys begin with; none unless said.
    """

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name = name
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @cached_property
    def _client(self) -> Any:
        return make_client("s3")

    def address(self, key: str) -> str:
        """How people write where an object is."""
        return f"s3://{self.name}/{self._prefix}{key}"

    def _call(self, name: str, key: str, *, deadline: float | None = None, **asked: Any) -> dict[str, Any]:
        """One call about a key. Where the key, or the upload, is not there, or a condition fails, nothing is retried.

        Raises:
            NotFound: There is no such object or upload.
            Differs: The condition does not hold.
        """
        where = self.address(key)

        def call() -> dict[str, Any]:
            with meanings(where):
                try:
                    answer: dict[str, Any] = getattr(self._client, name)(
                        Bucket=self.name, Key=f"{self._prefix}{key}", **asked
                    )
                except self._client.exceptions.ClientError as error:
                    code = code_of(error)
                    if code in _GONE:
                        msg = f"there is no {where}"
                        raise NotFound(msg) from error
                    if code == _DIFFERS:
                        msg = f"{where} is not as it was expected"
                        raise Differs(msg, "look at it again") from error
                    if name == "complete_multipart_upload" and code in _LOST:
                        msg = f"{where} can't be put together: {error}"
                        raise Lost(msg, "send every piece anew") from error
                    raise
            return answer

        return retried(call) if deadline is None else retried(call, deadline=deadline)

    # Objects ---------------------------------------------------------------------------------------------------

    def put(self, key: str, content: bytes, *, sha256: str | None = None, absent: bool = False) -> None:
        """Write an object, whole or not at all.

        A process that dies during the call leaves the whole object, or what was there before.

        Args:
            key: The key.
            content: The bytes.
            sha256: Their digest, for the server to compare and to keep.
            absent: Whether there must be none yet.

        Raises:
            Differs: There is one already; it may be this very one, if an answer was lost.
        """
        options: dict[str, Any] = {} if sha256 is None else {"ChecksumSHA256": encoded(sha256)}
        if absent:
            options["IfNoneMatch"] = "*"
        self._call("put_object", key, Body=content, **options)

    def put_file(self, key: str, source: Path, sha256: str) -> None:
        """Write an object of a file's bytes, whole or not at all; a large one in pieces, several at once.

        A process that dies during the call leaves the whole object, or pieces that `uploads` finds.

        Args:
            key: The key; what lies there already is replaced.
            source: The file.
            sha256: Its digest.
        """
        size = source.stat().st_size
        if size <= LARGE:
            self.put(key, source.read_bytes(), sha256=sha256)
            return
        upload = self.begin(key)
        try:
            with ThreadPoolExecutor(_PIECES, thread_name_prefix="upload") as pool:
                sent = [
                    pool.submit(self._put_piece, key, upload, number, source)
                    for number in range(1, -(-size // LARGE) + 1)
                ]
                parts = [one.result() for one in sent]
            self.complete(key, upload, parts)
        except NotFound:
            head = self.head(key)  # an answer that was lost: it may be done
            if head is None or head.size != size:
                raise
        except BaseException:
            self.abort(key, upload)
            raise

    def _put_piece(self, key: str, upload: str, number: int, source: Path) -> Part:
        with source.open("rb") as file:
            file.seek((number - 1) * LARGE)
            return self.put_part(key, upload, number, file.read(LARGE))

    def head(self, key: str) -> Head | None:
        """What the bucket says of an object; None where there is none."""
        try:
            answer = self._call("head_object", key, ChecksumMode="ENABLED")
        except NotFound:
            return None
        return Head(key, answer["ContentLength"], answer["ETag"], answer["LastModified"], _whole_digest(answer))

    def read(self, key: str, start: int = 0, end: int | None = None, *, etag: str | None = None) -> Iterator[bytes]:
        """An object's bytes from `start` up to `end` (exclusive), in chunks; a broken answer goes on where it broke.

        Args:
            key: The key.
            start: The first byte.
            end: The byte after the last one; the object's end unless said.
            etag: The object as it was seen before, where it must be the same.

        Raises:
            NotFound: There is no such object; at the call, not later.
            Differs: It is another one than `etag` says.
        """
        head = self.head(key)
        if head is None:
            msg = f"there is no {self.address(key)}"
            raise NotFound(msg)
        if etag is not None and head.etag != etag:
            msg = f"{self.address(key)} was replaced meanwhile"
            raise Differs(msg, "read it again")
        return self.read_of(head, start, head.size if end is None else min(end, head.size))

    def read_of(self, head: Head, start: int, end: int) -> Iterator[bytes]:
        """The bytes of an object that was looked at before, from `start` up to `end`, in chunks.

        Raises:
            NotFound: It is gone.
            Differs: Another one lies there.
        """
        position = start
        while position < end:
            before = position
            try:
                wanted = f"bytes={position}-{end - 1}"
                body = self._call("get_object", head.key, Range=wanted, IfMatch=head.etag)["Body"]
                with meanings(self.address(head.key)):
                    for chunk in body.iter_chunks(CHUNK):
                        yield chunk
                        position += len(chunk)
            except Unavailable:
                if position == before:
                    raise

    def remove(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object; one that is gone is no error, and where `etag` is said, nor is one that is another."""
        try:
            condition: dict[str, Any] = {} if etag is None else {"IfMatch": etag}
            self._call("delete_object", key, **condition)
        except (NotFound, Differs):
            return

    def listed(self, prefix: str = "") -> Iterator[Head]:
        """The objects whose keys begin so, in the order of their keys."""
        for page in self._pages("list_objects_v2", prefix, ("ContinuationToken", "NextContinuationToken")):
            for found in page.get("Contents", ()):
                yield Head(self._key(found["Key"]), found["Size"], found["ETag"], found["LastModified"])

    def folders(self, prefix: str) -> Iterator[str]:
        """What follows a prefix up to the next slash, once for each, in order."""
        names = ("ContinuationToken", "NextContinuationToken")
        for page in self._pages("list_objects_v2", prefix, names, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                yield self._key(found["Prefix"]).removeprefix(prefix).rstrip("/")

    def _pages(self, name: str, prefix: str, token: tuple[str, str], **asked: Any) -> Iterator[dict[str, Any]]:
        where = self.address(prefix)
        more: dict[str, Any] = {}
        while True:

            def call(more: Mapping[str, Any] = more) -> dict[str, Any]:
                with meanings(where):
                    options = {"Bucket": self.name, "Prefix": f"{self._prefix}{prefix}", **asked, **more}
                    answer: dict[str, Any] = getattr(self._client, name)(**options)
                return answer

            page = retried(call)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {token[0]: page[token[1]]}
            if name == "list_multipart_uploads":
                more["UploadIdMarker"] = page["NextUploadIdMarker"]

    def _key(self, whole: str) -> str:
        return whole.removeprefix(self._prefix)

    # Uploads in pieces -----------------------------------------------------------------------------------------

    def begin(self, key: str) -> str:
        """Begin an upload in pieces; its id. If nobody completes it, a sweep finds it among `uploads`."""
        upload: str = self._call("create_multipart_upload", key)["UploadId"]
        return upload

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> Part:
        """Send a piece; sent again, it replaces the one with its number."""
        answer = self._call("upload_part", key, UploadId=upload, PartNumber=number, Body=content)
        return Part(number, answer["ETag"], len(content))

    def parts(self, key: str, upload: str) -> list[Part]:
        """The pieces that have arrived, in order.

        Raises:
            NotFound: There is no such upload (any more).
        """
        found: list[Part] = []
        marker = 0
        while True:
            page = self._call("list_parts", key, UploadId=upload, PartNumberMarker=marker)
            found += [Part(part["PartNumber"], part["ETag"], part["Size"]) for part in page.get("Parts", ())]
            if not page.get("IsTruncated"):
                return found
            marker = page["NextPartNumberMarker"]

    def complete(self, key: str, upload: str, parts: list[Part], *, absent: bool = False) -> None:
        """Make an object of the pieces. A process that dies during the call leaves the upload, or the whole object.

        Raises:
            NotFound: There is no such upload: it was completed, or given up.
            Differs: There is an object already, and there must be none.
            Lost: Another write of the key was going on, or a piece is not what it was: every piece has to be sent anew.
        """
        asked: dict[str, Any] = {
            "UploadId": upload,
            "MultipartUpload": {"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in parts]},
            **({"IfNoneMatch": "*"} if absent else {}),
        }
        self._call("complete_multipart_upload", key, deadline=_COMPLETING, **asked)

    def abort(self, key: str, upload: str) -> None:
        """Give an upload up; one that is gone is no error."""
        try:
            self._call("abort_multipart_upload", key, UploadId=upload)
        except NotFound:
            return

    def uploads(self, prefix: str = "") -> Iterator[Upload]:
        """The uploads that are not completed, of keys that begin so."""
        for page in self._pages("list_multipart_uploads", prefix, ("KeyMarker", "NextKeyMarker")):
            for found in page.get("Uploads", ()):
                yield Upload(self._key(found["Key"]), found["UploadId"], found["Initiated"])

    # URLs for those who have no credentials ----------------------------------------------------------------------

    def get_url(self, key: str, seconds: int) -> str:
        """A URL that reads an object, for a while."""
        return self._url("get_object", key, seconds)

    def put_url(self, key: str, seconds: int, *, size: int, sha256: str) -> tuple[str, dict[str, str]]:
        """A URL that writes an object once, for a while: these bytes and no others. With the headers to send."""
        digest = encoded(sha256)
        url = self._url("put_object", key, seconds, ContentLength=size, ChecksumSHA256=digest, IfNoneMatch="*")
        return url, {"x-amz-checksum-sha256": digest, "if-none-match": "*"}

    def part_url(self, key: str, upload: str, number: int, seconds: int, *, size: int) -> str:
        """A URL that sends a piece of this size, for a while."""
        return self._url("upload_part", key, seconds, UploadId=upload, PartNumber=number, ContentLength=size)

    def _url(self, call: str, key: str, seconds: int, **signed: Any) -> str:
        asked = {"Bucket": self.name, "Key": f"{self._prefix}{key}", **signed}
        with meanings(self.address(key)):
            url: str = self._client.generate_presigned_url(call, Params=asked, ExpiresIn=seconds)
        return url


def encoded(sha256: str) -> str:
    """A digest as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _whole_digest(answer: Mapping[str, Any]) -> str | None:
    """The digest of the whole object; of one that came in pieces, S3 knows the digest of the pieces' digests only."""
    digest = answer.get("ChecksumSHA256")
    if digest is None or "-" in digest or answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return base64.b64decode(digest).hex()
