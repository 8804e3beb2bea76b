"""Tells of every request how it was answered, and how long that took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from modelyard.asgi import App, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})


class Meter(Protocol):
    """What is told of requests."""

    def begin(self) -> None:
        """A request came."""

    def end(self, scope: Scope, status: str, seconds: float) -> None:
        """It was answered, or broke off."""


class Measured:
    """An app whose requests are measured.

    Args:
        app: The app.
        meter: What is told of them.
    """

    def __init__(self, app: App, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "500"  # where nothing is sent, the server answers so

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        begun = time.perf_counter()
        self._meter.begin()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._meter.end(scope, status, time.perf_counter() - begun)


def method_of(scope: Scope) -> str:
    """A request's method as a label: what nobody has heard of would make endless series."""
    return scope["method"] if scope["method"] in METHODS else "other"


def route_of(scope: Scope) -> str:
    """A request's route as a label, by its template: names in paths would make endless series."""
    path: str = getattr(scope.get("route"), "path", "unmatched")
    return path
