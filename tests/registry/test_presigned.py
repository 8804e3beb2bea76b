"""Bytes by URL: what stores answer, what is tried again, and what is told; without the URL's secret."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import (
    IntegrityError,
    ModelyardError,
    NotFound,
    StorageFull,
    TargetExpired,
    Unavailable,
    WrongBytes,
)
from modelyard.registry.presigned import Presigned, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = bytes(range(256)) * 64
SHA256 = hashlib.sha256(BODY).hexdigest()


class Store:
    """Answers as it is told, then as a store does."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/bucket/key?X-Amz-Signature=secret"
        self.answers: list[tuple[int, str]] = []
        """Statuses, and the codes of S3, that come before good answers."""
        self.cut: list[int] = []
        """After how many bytes the next good answers break off."""
        self.put = b""
        self.requests = 0


@pytest.fixture
def store() -> Iterator[Store]:
    with serving() as running:
        yield running


@contextmanager
def serving() -> Iterator[Store]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.refused():
                return
            start, end = (int(bound) for bound in self.headers["Range"].removeprefix("bytes=").split("-"))
            part = BODY[start : end + 1]
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[: running.cut.pop(0)] if running.cut else part)
            self.close_connection = True

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.refused():
                running.put = content
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def refused(self) -> bool:
            running.requests += 1
            if not running.answers:
                return False
            status, code = running.answers.pop(0)
            self.send_response(status)
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Store(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(store: Store, source: Path, start: int = 0, end: int = len(BODY), *, deadline: float = 5) -> None:
    client = Presigned(deadline=deadline)
    try:
        client.put(store.url, source, {}, start, end)
    finally:
        client.close()


def test_a_file_comes_whole_and_verified(store: Store, tmp_path: Path) -> None:
    fetch(store.url, tmp_path / "made" / "file", size=len(BODY), sha256=SHA256)
    assert (tmp_path / "made" / "file").read_bytes() == BODY


def test_a_broken_answer_goes_on_where_it_broke(store: Store, tmp_path: Path) -> None:
    store.cut = [1, 1000, 10000]
    store.answers = [(503, "SlowDown"), (500, "InternalError")]
    fetch(store.url, tmp_path / "file", size=len(BODY), sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert store.requests == 6


def test_other_bytes_than_were_recorded_are_not_kept(store: Store, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="other bytes than were recorded"):
        fetch(store.url, tmp_path / "file", size=len(BODY) - 1, sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", TargetExpired),
        (404, "NoSuchUpload", TargetExpired),
        (404, "NoSuchKey", NotFound),
        (400, "BadDigest", WrongBytes),
        (507, "InsufficientStorage", StorageFull),
        (400, "InvalidRequest", ModelyardError),
    ],
)
def test_what_is_refused_is_told_once_and_without_the_secret(
    store: Store, tmp_path: Path, status: int, code: str, kind: type[ModelyardError]
) -> None:
    (tmp_path / "file").write_bytes(BODY)
    store.answers = [(status, code)]
    with pytest.raises(kind, match=f"{status} {code}") as told:
        send(store, tmp_path / "file")
    assert "secret" not in str(told.value)
    assert store.requests == 1


def test_what_passes_is_sent_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    store.answers = [(503, "SlowDown"), (500, "InternalError"), (409, "ConditionalRequestConflict")]
    send(store, tmp_path / "file", 100, 300)
    assert store.put == BODY[100:300]
    store.answers = [(412, "PreconditionFailed")]
    send(store, tmp_path / "file")
    assert store.put == BODY[100:300], "it was there already"


def test_a_store_that_stays_busy_is_given_up(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    store.answers = [(503, "SlowDown")] * 1000
    with pytest.raises(Unavailable, match="503 SlowDown"):
        send(store, tmp_path / "file", deadline=0.2)
    assert store.requests > 1
    with serving() as gone:
        pass
    with pytest.raises(Unavailable, match="does not answer") as told:
        send(gone, tmp_path / "file", deadline=0.2)
    assert "secret" not in str(told.value)


def test_a_file_that_shrinks_meanwhile_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    with pytest.raises(WrongBytes, match="shorter"):
        send(store, tmp_path / "file", 0, len(BODY) + 1)
