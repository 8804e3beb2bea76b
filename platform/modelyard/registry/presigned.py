"""Bytes straight to and from an object store, by URLs that a service signed: they never pass through the service.

Where the store is a folder of the service's machine, a URL leads to the service itself, and is used in the same way.

What fails in passing is sent again until the deadline. A URL is a key to
its object as long as it lives, so that no error repeats what follows its `?`.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import httpx

from modelyard.asgi.problem import MEDIA_TYPE
from modelyard.errors import (
    ModelyardError,
    NotFound,
    StorageFull,
    TargetExpired,
    Unavailable,
    WrongBytes,
)
from modelyard.files import CHUNK, io_errors, write_verified
from modelyard.registry.transport import DEADLINE, checked
from modelyard.retries import Passing, retried

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TIMEOUT = httpx.Timeout(10, read=60, write=60)
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_PRECONDITION, _CONFLICT, _TOO_MANY, _SERVER_ERROR, _NO_ROOM = 412, 409, 429, 500, 507
_REFUSED, _ABSENT = 403, 404


class Presigned:
    """A client for presigned URLs; threads may share it.

    Args:
        deadline: Seconds until a call that keeps failing in passing is given up.
    """

    def __init__(self, *, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        # The environment does not redirect us: the service alone says where objects are.
        self._client = httpx.Client(timeout=_TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def put(self, url: str, source: Path, headers: Mapping[str, str], start: int, end: int) -> None:
        """Send a part of a file, or all of it; where the object is there already, nothing is sent over it.

        Sent again after a reply was lost, the condition fails on our own bytes: whoever completes the upload compares.

        Args:
            url: The URL.
            source: The file.
            headers: What the URL wants to be told.
            start: The first byte.
            end: The byte after the last one.

        Raises:
            TargetExpired: The URL does not take it any more.
            WrongBytes: They are not the bytes that the URL was signed for.
            StorageFull: There is no room.
            Unavailable: The store does not answer in time.
        """

        def send() -> None:
            with _passing_faults(url):
                sized = {"Content-Length": str(end - start), **headers}
                answer = self._client.put(url, content=_part(source, start, end), headers=sized)
            if answer.status_code != _PRECONDITION:
                _check(url, answer)

        retried(send, deadline=self._deadline)

    def read(self, url: str, start: int, end: int) -> Iterator[bytes]:
        """An object's bytes from `start` up to `end`, in chunks; a broken answer goes on where it broke.

        Raises:
            TargetExpired: The URL does not open it any more.
            NotFound: The object is gone.
            Unavailable: The store does not answer in time.
        """
        position = start
        while position < end:
            before = position
            try:
                with self._reading(url, position, end) as chunks:
                    for chunk in chunks:
                        yield chunk
                        position += len(chunk)
            except TargetExpired:
                raise
            except Unavailable:
                if position == before:
                    raise

    @contextmanager
    def _reading(self, url: str, start: int, end: int) -> Iterator[Iterator[bytes]]:
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}

        def send() -> httpx.Response:
            request = self._client.build_request("GET", url, headers=headers)
            with _passing_faults(url):
                answer = self._client.send(request, stream=True)
                if answer.is_error:
                    answer.read()
            _check(url, answer)
            return answer

        answer = retried(send, deadline=self._deadline)
        try:
            with _passing_faults(url):
                yield answer.iter_bytes()
        finally:
            answer.close()


def fetch(url: str, to: Path, *, size: int, sha256: str) -> None:
    """Write what a URL reads to a file: whole and verified, or not at all.

    Args:
        url: The URL.
        to: The file; its folder is made.
        size: The bytes that there must be.
        sha256: Their digest.

    Raises:
        IntegrityError: They are others.
        TargetExpired: The URL does not open them any more.
        NotFound: They are gone.
        Unavailable: The store does not answer in time.
        StorageFull: There is no room.
    """
    with closing(Presigned()) as client:
        chunks = client.read(url, 0, size)
        write_verified(to, chunks, what=f"what {_shown(url)} holds", sha256=sha256, hint="publish it again")


def _part(source: Path, start: int, end: int) -> Iterator[bytes]:
    with io_errors(source), source.open("rb") as file:
        file.seek(start)
        while (left := end - file.tell()) > 0 and (chunk := file.read(min(CHUNK, left))):
            yield chunk
        if left > 0:
            msg = f"`{source}` is shorter than it was"
            raise WrongBytes(msg, "leave files alone while they are sent")


@contextmanager
def _passing_faults(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        msg = f"the store at {_shown(url)} does not answer: {error}"
        raise Passing(msg, "is the object store up, and can it be reached from here?") from error


def _check(url: str, answer: httpx.Response) -> None:
    """Make sure that an answer is a good one.

    Raises:
        ModelyardError: It is not; the class says what it means.
    """
    if answer.is_success:
        return
    if answer.headers.get("Content-Type") == MEDIA_TYPE:
        checked(answer)
    code = found[1].decode() if (found := _CODE.search(answer.content)) else answer.reason_phrase
    said = f"{_shown(url)} answered {answer.status_code} {code}"
    if answer.status_code == _REFUSED or code == "NoSuchUpload":
        msg = f"{said}: its URL is not good any more"
        raise TargetExpired(msg, "ask the registry again")
    if answer.status_code == _NO_ROOM:
        raise StorageFull(said, "make room, then try again")
    if answer.status_code in (_CONFLICT, _TOO_MANY) or answer.status_code >= _SERVER_ERROR or code == "RequestTimeout":
        raise Passing(said, "try again")
    if code in {"BadDigest", "XAmzContentChecksumMismatch", "IncompleteBody", "EntityTooSmall", "EntityTooLarge"}:
        raise WrongBytes(said, "send the file that was claimed, whole")
    raise (NotFound if answer.status_code == _ABSENT else ModelyardError)(said)


def _shown(url: str) -> str:
    return url.partition("?")[0]
