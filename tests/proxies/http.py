"""A proxy before an HTTP server that goes wrong where a test says so: between real clients and real servers.

It passes requests on byte by byte, so that signatures stay good. What happens to a request is decided by its method and
path: pass, refuse with a status, let the server act and swallow its answer, or tear the body at a part of its length.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.proxies.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Fault:
    """What becomes of a request."""

    status: int = 0
    """Refused with it, before the server hears of it."""
    code: str = "SlowDown"
    swallow: bool = False
    """The server acts, and nobody hears its answer."""
    tear: float = 1.0
    """The part of the body that arrives."""


PASS = Fault()


class FaultyProxy(Proxy):
    """A proxy; `decide` says what becomes of each request."""

    def __init__(self, upstream: str) -> None:
        self.decide: Callable[[str, str], Fault] = lambda _method, _path: PASS
        self.requests: list[tuple[str, str]] = []
        """Every request that came: method and path."""
        self.faults = 0
        super().__init__(upstream)

    def first(self, times: int, fault: Fault, *, method: str = "", path: str = "") -> None:
        """Let the next requests of a kind go wrong, then no more.

        Args:
            times: How many.
            fault: How.
            method: The method; all of them unless said.
            path: What the path, with its query, contains.
        """
        left = [times]
        lock = threading.Lock()

        def decide(was: str, asked: str) -> Fault:
            with lock:
                if left[0] and method in ("", was) and path in asked:
                    left[0] -= 1
                    return fault
            return PASS

        self.decide = decide

    def _serve(self, client: socket.socket) -> None:
        with client.makefile("rb") as sent:
            while head := _read_head(sent):
                method, path = head[0].decode().split(" ")[:2]
                headers = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(b":") for line in head[1:])
                }
                if headers.get(b"expect", b"").lower() == b"100-continue":
                    client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = sent.read(int(headers.get(b"content-length", b"0")))
                self.requests.append((method, path))
                fault = self.decide(method, path)
                self.faults += fault is not PASS
                if fault.status:
                    client.sendall(_refusal(fault))
                    continue
                kept = [line for line in head if not line.lower().startswith((b"expect:", b"connection:"))]
                request = b"\r\n".join([*kept, b"Connection: close", b"", b""])
                with socket.create_connection(self.upstream) as server:
                    if fault.tear < 1:
                        server.sendall(request + body[: int(len(body) * fault.tear)])
                        return
                    server.sendall(request + body)
                    answer = b"".join(iter(lambda: server.recv(1 << 16), b""))
                if fault.swallow:
                    return
                client.sendall(answer)
                return


def _read_head(sent: object) -> list[bytes]:
    lines: list[bytes] = []
    while line := sent.readline().rstrip(b"\r\n"):  # type: ignore[attr-defined]  # a file
        lines.append(line)
    return lines


def _refusal(fault: Fault) -> bytes:
    body = f"<Error><Code>{fault.code}</Code><Message>told to</Message></Error>".encode()
    head = f"HTTP/1.1 {fault.status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
