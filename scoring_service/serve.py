"""Runs the service until it is told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from modelyard.asgi.guard import check_loopback
from modelyard.asgi.listening import address_of, open_listener
from scoring_service.app import create_app
from scoring_service.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from scoring_service.service import Service

DRAIN = 30
"""Seconds that requests in progress may take after a signal to end: as long as a body may take to arrive."""


def serve(service: Service, host: str, port: int, *, tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; requests in progress are answered first.

    Args:
        service: What answers.
        host: A name or address of this machine.
        port: The port; 0 for a free one.
        tell: Is told the service's address once it listens.

    Raises:
        UsageError: The address could be reached from another machine, or is taken.
    """
    check_loopback(host, "score")
    configure_logs()
    config = uvicorn.Config(
        create_app(service),
        access_log=False,  # /metrics counts; a line for each request would cost more than the request
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
        log_level="warning",
    )
    with open_listener(host, port) as listener:
        tell(address_of(listener, host))
        uvicorn.Server(config).run(sockets=[listener])
