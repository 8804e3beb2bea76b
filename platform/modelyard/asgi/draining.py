"""How a service goes without failing a request: first it says so to everybody, then it stops to listen.

Whoever sends requests to it learns late that it is to end: a load balancer after its next look, a client with an open
connection only when that is closed. So after the signal a service goes on for a while: it takes requests, answers each
with `Connection: close`, and is not ready any more. If it is killed meanwhile, what is in progress is lost, as always.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from modelyard.asgi.problem import send_problem
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from modelyard.asgi import App, Message, Receive, Scope, Send


class Draining:
    """Whether a service is about to end.

    Args:
        seconds: How long it still takes requests after it was told to end.
    """

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.begun = False

    def begin(self, end: Callable[[], None]) -> None:
        """Begin to drain, and end later; at once where it is told so again, or nobody is to be waited for.

        Args:
            end: Ends the service.
        """
        if self.begun or not self.seconds:
            end()
            return
        self.begun = True
        timer = threading.Timer(self.seconds, end)
        timer.daemon = True
        timer.start()


class Drained:
    """Tells clients of a service that drains to connect anew, and its readiness probe that it is not ready.

    Args:
        app: The service.
        draining: Whether it drains.
        ready: The paths that say whether it is ready.
    """

    def __init__(self, app: App, draining: Draining, ready: Collection[str] = ("/ready", "/started")) -> None:
        self.app = app
        self._draining = draining
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not self._draining.begun:
            await self.app(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        if scope["path"] in self._ready:
            msg = "the service is about to end"
            await send_problem(closing, Unavailable(msg, "ask another one"))
        else:
            await self.app(scope, receive, closing)
