"""A proxy before the API server, that refuses, loses, delays and answers otherwise when a test says so."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

from modelyard.training.launchers.kubernetes.api import load_client
from tests.cluster.world import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REFUSE = "refuse"
"""The connection is closed without an answer, and nothing is done."""
LOSE = "lose"
"""It is done, and the answer is lost."""
HANG = "hang"
"""Nothing is answered for as long as the proxy lives."""

Fault = str | tuple[int, dict[str, str]] | None


class Proxy:
    """The API server behind faults."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.fault: Callable[[str, str], Fault] = lambda _method, _path: None
        self.asked: list[tuple[str, str]] = []
        self.answering: Callable[[str, str], None] = lambda _method, _path: None
        """Called when the API server has answered, and before whoever asked hears of it."""

    def once(self, fault: Fault, method: str, part: str) -> None:
        """Let a fault happen to the first request of a method whose path has a part."""
        left = [fault]

        def faulty(asked: str, path: str) -> Fault:
            return left.pop() if left and asked == method and part in path else None

        self.fault = faulty

    def always(self, fault: Fault) -> None:
        """Let a fault happen to every request from now on."""
        self.fault = lambda _method, _path: fault

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        file = folder / "proxied.yaml"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "it", "user": {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        file.write_text(yaml.safe_dump(content))
        return file


@contextmanager
def proxying() -> Iterator[Proxy]:  # noqa: C901 - a handler of five methods
    """A proxy with the rights of the tests' own kubeconfig."""
    client = load_client(kubeconfig())
    pool, host = client.rest_client.pool_manager, client.configuration.host
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            proxy.asked.append((self.command, self.path))
            fault = proxy.fault(self.command, self.path)
            if fault == HANG:
                over.wait()
            if fault in (HANG, REFUSE):
                self._hang_up()
                return
            if isinstance(fault, tuple):
                self._answer(fault[0], b'{"message": "played"}', fault[1])
                return
            kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            answer = pool.request(self.command, host + self.path, body=body, headers=kept, timeout=20, retries=False)
            if fault == LOSE:
                self._hang_up()
                return
            proxy.answering(self.command, self.path)
            told = {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}
            self._answer(answer.status, answer.data, told)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
