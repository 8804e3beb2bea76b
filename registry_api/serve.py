"""Runs the service until it is told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from modelyard.asgi.guard import check_loopback
from modelyard.asgi.listening import address_of, open_listener
from registry_api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry

DRAIN = 30
"""Seconds that requests in progress may take after a signal to end; the slowest that is usual, a large upload, takes
less."""


def make_server(registry: LocalRegistry, datasets: DatasetStore | None = None) -> uvicorn.Server:
    """A server for a registry, to be run on a socket that listens."""
    config = uvicorn.Config(
        create_app(registry, datasets),
        access_log=False,  # /metrics counts; a line for each request would cost more than the request
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
        log_level="warning",
    )
    return uvicorn.Server(config)


def serve(
    registry: LocalRegistry,
    host: str,
    port: int,
    *,
    tell: Callable[[str], None],
    datasets: DatasetStore | None = None,
) -> None:
    """Serve a registry until SIGINT or SIGTERM; requests in progress are answered first.

    Args:
        registry: The registry.
        host: A name or address of this machine.
        port: The port; 0 for a free one.
        tell: Is told the service's address once it listens.
        datasets: Where training sets are, whose URLs runs' pods are given.

    Raises:
        UsageError: The address could be reached from another machine, or is taken; or the store is newer than this
            code.
        IntegrityError: The store is damaged.
        Unavailable: The store does not answer.
    """
    check_loopback(host, "promote")
    registry.ping()  # it says now, and not to every client, what is wrong with it
    with open_listener(host, port) as listener:
        tell(address_of(listener, host))
        make_server(registry, datasets).run(sockets=[listener])
