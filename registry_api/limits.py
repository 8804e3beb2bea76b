"""What a request may cost: the size of its body, and how long it may take to arrive."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from modelyard.registry.allowed import LARGEST as LARGEST_ARTIFACT
from modelyard.registry.documents import LARGEST as LARGEST_DOCUMENT
from registry_api.errors import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 3 * LARGEST_DOCUMENT
"""Bytes of a JSON body: a definition, a run that holds it again, and the escapes in both."""

LARGEST_LOG = 64 * 1024**2
"""Bytes of a run's log."""

SLOWEST_PART = 30.0
"""Seconds until the next part of a body has to be there."""

_STREAMED = (
    (re.compile(r"/v1/models/[^/]+/versions/[^/]+/artifacts/.+"), LARGEST_ARTIFACT),
    (re.compile(r"/v1/runs/[^/]+/log"), LARGEST_LOG),
)


def largest_body(path: str) -> int:
    """The bytes that a request to a path may send."""
    return next((largest for pattern, largest in _STREAMED if pattern.fullmatch(path)), LARGEST_BODY)


class BodyLimits:
    """Refuses bodies that are too large, or too slow, whatever their headers say."""

    def __init__(self, app: ASGIApp, slowest_part: float = SLOWEST_PART) -> None:
        self._app = app
        self._slowest_part = slowest_part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a body that is bounded, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = largest_body(scope["path"])
        if _announced(scope) > largest:
            answer = problem("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(largest))
            await answer(scope, receive, send)
            return
        await self._app(scope, self._bounded(receive, largest), send)

    def _bounded(self, receive: Receive, largest: int) -> Receive:
        seen = 0
        complete = False

        async def bounded() -> Message:
            nonlocal seen, complete
            if complete:  # from here on a message says that the client has gone, whenever that is
                return await receive()
            try:
                async with asyncio.timeout(self._slowest_part):
                    message = await receive()
            except TimeoutError as error:
                detail = f"the body stood still for {self._slowest_part:g} s"
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail) from error
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen > largest:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(largest))
            return message

        return bounded


def _announced(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


def _too_large(largest: int) -> str:
    return f"the body may have {largest} bytes"
