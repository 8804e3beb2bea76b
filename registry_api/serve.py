"""Runs the service until it is told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.asgi.listening import address_of, open_listener
from modelyard.asgi.loopback import check_loopback
from modelyard.asgi.server import Server
from registry_api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.asgi.auth.authenticator import Authenticator
    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry


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
    run_key: bytes = b"",
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
        run_key: The installation's key; services that have the same one take each other's page tokens.

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
        app = create_app(registry, datasets, authenticator, trainer=trainer, run_key=run_key)
        Server(app, linger=linger).run(sockets=[listener])
