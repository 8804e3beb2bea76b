"""Lets nobody in who does not say who he is."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from modelyard.asgi.auth.rules import CALLER
from modelyard.asgi.problem import send_problem
from modelyard.errors import ModelyardError, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.asgi import App, Receive, Scope, Send
    from modelyard.asgi.auth.authenticator import Authenticator
    from modelyard.asgi.auth.principal import Principal

_AT_ONCE = 8  # questions to issuers and API servers: a flood of tokens waits here, and nowhere else
_POLICY = 1008  # the code of a WebSocket that is refused


class Authenticated:
    """An app that knows who calls.

    Args:
        app: The app.
        authenticator: Says who has a token.
        open_paths: What anybody may ask for.
    """

    def __init__(self, app: App, authenticator: Authenticator, open_paths: Collection[str]) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open = frozenset(open_paths)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="authenticate")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with who calls, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY})
            return
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        try:
            scope[CALLER] = await self._caller(scope)
        except ModelyardError as error:
            await send_problem(send, error)
            return
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Principal:
        token = _token(scope)
        known = self._authenticator.quick(token)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._authenticator.authenticate, token)


def _token(scope: Scope) -> str:
    shown: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    hint = "send a token as `Authorization: Bearer TOKEN`; commands take it from MODELYARD_TOKEN"
    if not shown:
        msg = "this service has to know who calls"
        raise Unauthenticated(msg, hint)
    scheme, _, token = shown[0].decode("latin-1").partition(" ")
    token = token.strip()
    if len(shown) > 1 or scheme.lower() != "bearer" or not token.isascii() or not token.isprintable() or not token:
        msg = "the request shows no bearer token"
        raise Unauthenticated(msg, hint)
    return token
