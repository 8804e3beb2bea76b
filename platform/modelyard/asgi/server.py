"""The server that a service runs in: it listens to signals, and drains before it ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from modelyard.asgi.draining import Drained, Draining

if TYPE_CHECKING:
    from types import FrameType

    from modelyard.asgi import App

DRAIN = 30
"""Seconds that requests in progress may take after a signal to end: the slowest that is usual takes less."""


class Server(uvicorn.Server):
    """A server of one service, to be run on a socket that listens.

    Args:
        app: The service.
        linger: Seconds after the signal for which requests are still taken, so that every client learns of it.
    """

    def __init__(self, app: App, *, linger: float = 0) -> None:
        self._draining = Draining(linger)
        super().__init__(
            uvicorn.Config(
                Drained(app, self._draining),
                access_log=False,  # /metrics counts; a line for each request would cost more than the request
                server_header=False,
                timeout_graceful_shutdown=DRAIN,
                log_level="warning",
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and end at the second."""
        self._draining.begin(partial(super().handle_exit, sig, frame))
