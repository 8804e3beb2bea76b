"""Runs the service until it is told to end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from modelyard.asgi.draining import Drained, Draining
from modelyard.asgi.guard import check_loopback
from modelyard.asgi.listening import address_of, open_listener
from scoring_service.app import create_app
from scoring_service.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from modelyard.asgi.auth.authenticator import Authenticator
    from scoring_service.service import Service

DRAIN = 30
"""Seconds that requests in progress may take after a signal to end: as long as a body may take to arrive."""


class _Server(uvicorn.Server):
    """A server that drains before it ends."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and end at the second."""
        self._draining.begin(partial(super().handle_exit, sig, frame))


def serve(
    service: Service,
    host: str,
    port: int,
    *,
    tell: Callable[[str], None],
    authenticator: Authenticator | None = None,
    linger: float = 0,
) -> None:
    """Serve until SIGINT or SIGTERM; requests in progress are answered first.

    Args:
        service: What answers.
        host: A name or address of this machine.
        port: The port; 0 for a free one.
        tell: Is told the service's address once it listens.
        linger: Seconds after the signal for which requests are still taken, so that every client learns of it.
        authenticator: Says who calls; without one, the programs of this machine alone may.

    Raises:
        UsageError: The address could be reached from another machine and nothing says who may call; or it is taken.
    """
    if authenticator is None:
        check_loopback(host, "score")
    configure_logs()
    draining = Draining(linger)
    config = uvicorn.Config(
        Drained(create_app(service, authenticator), draining),
        access_log=False,  # /metrics counts; a line for each request would cost more than the request
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
        log_level="warning",
    )
    with open_listener(host, port) as listener:
        tell(address_of(listener, host))
        _Server(config, draining).run(sockets=[listener])
