"""Who may speak to a service without authentication: programs of this machine, and no web page.

A page that a browser shows can send requests to this machine, and a name that resolves to 127.0.0.1 makes it look like
a page's own server. So the Host header has to name this machine, and an Origin header, which only browsers send, has
to be the service itself.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from modelyard.asgi.problem import send_problem
from modelyard.errors import Forbidden, UsageError

if TYPE_CHECKING:
    from modelyard.asgi import App, Receive, Scope, Send


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and can't be reached from another."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_loopback(host: str, danger: str) -> None:
    """Refuse to listen where others could reach a service that asks nobody who they are.

    Args:
        host: The name or address to listen on.
        danger: What everybody could do, as the end of a sentence.

    Raises:
        UsageError: The address is not of this machine alone.
    """
    if not is_loopback(host):
        msg = f"the service does not listen on `{host}`: without authentication, everybody who reaches it may {danger}"
        raise UsageError(
            msg, "name a file in MODELYARD_AUTH_FILE, or listen on 127.0.0.1 and reach it through an SSH tunnel"
        )


class LoopbackOnly:
    """Answers requests to this machine's own names only, and none that a web page of another site sends."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or (reason := _refused(scope)) is None:
            await self._app(scope, receive, send)
            return
        await send_problem(send, Forbidden(reason, "call the service as 127.0.0.1 or localhost"))


def _refused(scope: Scope) -> str | None:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    if not is_loopback(_without_port(host)):
        return f"this service does not answer to the name {host[:100]!r}"
    if origin is not None and origin != f"{scope['scheme']}://{host}":
        return "this service does not answer to web pages of other sites"
    return None


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdigit() else host
