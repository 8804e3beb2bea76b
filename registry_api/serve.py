"""Runs the service until it is told to end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from modelyard.asgi.draining import Drained, Draining
from modelyard.asgi.guard import check_loopback
from modelyard.asgi.listening import address_of, open_listener
from registry_api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from modelyard.asgi.auth.authenticator import Authenticator
    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry

DRAIN = 30
"""Seconds that requests in progress may take after a signal to end; the slowest that is usual, a large upload, takes
less."""


class _Server(uvicorn.Server):
    """A server that drains before it ends."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and end at the second."""
        self._draining.begin(partial(super().handle_exit, sig, frame))


def make_server(
    registry: LocalRegistry,
    datasets: DatasetStore | None = None,
    *,
    authenticator: Authenticator | None = None,
    linger: float = 0,
    trainer: str = "",
) -> uvicorn.Server:
    """A server for a registry, to be run on a socket that listens."""
    draining = Draining(linger)
    config = uvicorn.Config(
        Drained(create_app(registry, datasets, authenticator, trainer=trainer), draining),
        access_log=False,  # /metrics counts; a line for each request would cost more than the request
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
        log_level="warning",
    )
    return _Server(config, draining)


def serve(  # noqa: PLR0913 - what it serves, where, and for whom
    registry: LocalRegistry,
    host: str,
    port: int,
    *,
    tell: Callable[[str], None],
    datasets: DatasetStore | None = None,
    linger: float = 0,
    authenticator: Authenticator | None = None,
    trainer: str = "",
) -> None:
    """Serve a registry until SIGINT or SIGTERM; requests in progress are answered first.

    Args:
        registry: The registry.
        host: A name or address of this machine.
        port: The port; 0 for a free one.
        tell: Is told the service's address once it listens.
        datasets: Where training sets are, whose URLs runs' pods are given.
        linger: Seconds after the signal for which requests are still taken, so that every client learns of it.
        authenticator: Says who calls; without one, the programs of this machine alone may.
        trainer: The image that runs train in; nobody is told any unless said.

    Raises:
        UsageError: The address could be reached from another machine and nothing says who may call; or it is taken; or
            the store is newer than this code.
        IntegrityError: The store is damaged.
        Unavailable: The store does not answer.
    """
    if authenticator is None:
        check_loopback(host, "promote")
    registry.ping()  # it says now, and not to every client, what is wrong with it
    with open_listener(host, port) as listener:
        tell(address_of(listener, host))
        server = make_server(registry, datasets, authenticator=authenticator, linger=linger, trainer=trainer)
        server.run(sockets=[listener])
