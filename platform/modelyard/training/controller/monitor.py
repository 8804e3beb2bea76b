"""What operators see of a controller: whether it lives, whether it leads, how its steps go; over HTTP."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from modelyard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEAD = 120.0
"""Seconds without a tick after which the process had better be started anew; calls take far less."""
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
"""Seconds of a step: a list of Jobs takes a few hundredths, an API server that does not answer fifteen."""
_STATES = ("QUEUED", "BUILDING", "TRAINING")


class Monitor:
    """The controller's figures, and whether it lives. Threads share it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Gauge("modelyard_controller_runs", "Open runs, by state.", ("state",), registry=self.registry)
        self._seconds = Histogram(
            "modelyard_controller_step_seconds", "Time of a step.", buckets=BUCKETS, registry=self.registry
        )
        self._leader = Gauge(
            "modelyard_controller_leader", "1 where this process leads, else 0.", registry=self.registry
        )
        self._epoch = Gauge("modelyard_controller_epoch", "The epoch it led in last.", registry=self.registry)
        self._errors = Counter(
            "modelyard_controller_errors", "What went wrong, by what was done.", ("what",), registry=self.registry
        )
        self._ticked = time.monotonic()
        self._is_ready = False

    def alive(self) -> None:
        """Note that the process goes on."""
        self._ticked = time.monotonic()

    def leads(self, *, leads: bool, epoch: int) -> None:
        """Note whether this process leads; that it could find out makes it ready, leading or not."""
        self._leader.set(int(leads))
        self._epoch.set(epoch)
        self._is_ready = True
        if not leads:
            self._runs.clear()

    def stepped(self, seconds: float) -> None:
        """Time a step."""
        self._seconds.observe(seconds)

    def failed(self, what: str) -> None:
        """Count what went wrong."""
        self._errors.labels(what).inc()

    def counted(self, runs: Mapping[str, int]) -> None:
        """Note how many runs are open, by state."""
        for state in _STATES:
            self._runs.labels(state).set(runs.get(state, 0))

    @property
    def lives(self) -> bool:
        """Whether the loop has ticked lately."""
        return time.monotonic() - self._ticked < DEAD

    @property
    def is_ready(self) -> bool:
        """Whether the API server could be asked who leads."""
        return self._is_ready and self.lives

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """The status, the media type and the body that a path is answered with."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        answers = {"/health": self.lives, "/ready": self.is_ready}
        if path not in answers:
            return HTTPStatus.NOT_FOUND, "text/plain", b"/health, /ready or /metrics\n"
        if answers[path]:
            return HTTPStatus.OK, "text/plain", b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"not now\n"


@contextmanager
def answering(monitor: Monitor, host: str, port: int) -> Iterator[int]:
    """Answer over HTTP until the context ends.

    The answers hold no name of a model or a team, and nothing can be changed: so they are open to whoever reaches them.

    Args:
        monitor: What is answered.
        host: The address to listen on.
        port: The port; 0 for a free one.

    Yields:
        The port.

    Raises:
        UsageError: The address is taken, or is none of this machine's.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        def do_GET(self) -> None:
            """Answer a GET."""
            status, kind, body = monitor.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: probes come every few seconds."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        reason = f"{host}:{port} can't be listened on: {error.strerror}"
        raise UsageError(reason, "name another one with --host and --port") from error
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
