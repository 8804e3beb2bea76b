"""The socket that a service listens on: opened before anything else, so that a taken port is told in words."""

from __future__ import annotations

import socket

from modelyard.errors import UsageError


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: A name or address of this machine.
        port: The port; 0 for a free one.

    Raises:
        UsageError: Nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        reason = f"nobody can listen on {_named(host)}:{port}: {error.strerror}"
        raise UsageError(reason, "name another port, or end what listens there") from error


def address_of(listener: socket.socket, host: str) -> str:
    """The address under which a listening service is reached.

    Args:
        listener: Its socket.
        host: What it was asked to listen on.
    """
    return f"http://{_named(host)}:{listener.getsockname()[1]}"


def _named(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host
