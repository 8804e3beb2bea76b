"""A connection that breaks where a test says so: between a real client and a real server."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class BreakingProxy:
    """Passes bytes on both ways. Some answers it swallows: the server has acted, and the client never learns of it.

    Args:
        upstream: The server's URL.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.swallow = 0
        """How many of the next answers are swallowed."""
        self.cut_after: int | None = None
        """After how many more bytes of answers the connection is cut."""
        self.swallowed = 0

    def run(self) -> None:
        """Accept connections until closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._upstream) as server:
            sender = threading.Thread(target=_pass_on, args=(client, server), daemon=True)
            sender.start()
            while answer := server.recv(1 << 16):
                if self.swallow:
                    self.swallow -= 1
                    self.swallowed += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if self.cut_after is not None and self.cut_after <= len(answer):
                    client.sendall(answer[: self.cut_after])
                    self.cut_after = None
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if self.cut_after is not None:
                    self.cut_after -= len(answer)
                client.sendall(answer)
            client.shutdown(socket.SHUT_WR)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while request := client.recv(1 << 16):
            server.sendall(request)
        server.shutdown(socket.SHUT_WR)


@contextmanager
def breaking(upstream: str) -> Iterator[BreakingProxy]:
    """A proxy before a server."""
    proxy = BreakingProxy(upstream)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


class StoppableProxy:
    """Passes bytes on both ways, but for outages: then connections break, and no new one is taken.

    Args:
        upstream: The server's URL.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._sockets: set[socket.socket] = set()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it listens; the same after every outage."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Break what there is, and refuse what comes."""
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._upstream) as server:
            pair = {client, server}
            self._sockets |= pair
            try:
                sender = threading.Thread(target=_pass_on, args=(client, server), daemon=True)
                sender.start()
                _pass_on(server, client)
            finally:
                self._sockets -= pair
