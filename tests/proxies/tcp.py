"""Connections that break where a test says so, whatever is spoken on them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from tests.proxies.proxy import Proxy


class BreakingProxy(Proxy):
    """Passes bytes on both ways. Some answers it swallows: the server has acted, and the client never learns of it."""

    swallow = 0
    """How many of the next answers are swallowed."""
    cut_after: int | None = None
    """After how many more bytes of answers the connection is cut."""
    swallowed = 0

    def _serve(self, client: socket.socket) -> None:
        with socket.create_connection(self.upstream) as server:
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


class StoppableProxy(Proxy):
    """Passes bytes on both ways, but for outages: then connections break, and no new one is taken."""

    def __init__(self, upstream: str) -> None:
        self._sockets: set[socket.socket] = set()
        super().__init__(upstream)

    def stop(self) -> None:
        """Break what there is, and refuse what comes."""
        super().stop()
        for one in tuple(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _serve(self, client: socket.socket) -> None:
        with socket.create_connection(self.upstream) as server:
            pair = {client, server}
            self._sockets |= pair
            try:
                sender = threading.Thread(target=_pass_on, args=(client, server), daemon=True)
                sender.start()
                _pass_on(server, client)
            finally:
                self._sockets -= pair


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(1 << 16):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
