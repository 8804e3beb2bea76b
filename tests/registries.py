"""A registry behind a real server, for tests of any room."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from modelyard.asgi.listening import address_of, open_listener
from registry_api.serve import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from modelyard.registry.local import LocalRegistry

HOST = "127.0.0.1"


@dataclass
class Service:
    """A running server."""

    url: str
    app: FastAPI


@contextmanager
def serving(registry: LocalRegistry) -> Iterator[Service]:
    """A server for a registry, in a thread of its own."""
    server = make_server(registry)
    with open_listener(HOST, 0) as listener:  # it takes requests from now on; they wait until the server has started
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Service(address_of(listener, HOST), cast("FastAPI", server.config.app))
        finally:
            server.should_exit = True
            thread.join()
