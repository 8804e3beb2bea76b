"""Runs the service until it is told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.asgi.listening import address_of, open_listener
from modelyard.asgi.loopback import check_loopback
from modelyard.asgi.server import Server
from scoring_service.app import create_app
from scoring_service.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.asgi.auth.authenticator import Authenticator
    from scoring_service.service import Service


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
    with open_listener(host, port) as listener:
        tell(address_of(listener, host))
        Server(create_app(service, authenticator), linger=linger).run(sockets=[listener])
