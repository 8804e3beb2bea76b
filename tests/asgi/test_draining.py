"""A service that goes: it says so to everybody before it stops to listen."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from modelyard.asgi.draining import Drained, Draining

if TYPE_CHECKING:
    from modelyard.asgi import Receive, Scope, Send


async def service(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"yes"})


async def get(app: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return await client.get(path)


@pytest.mark.anyio
async def test_while_it_drains_a_service_answers_and_asks_for_a_new_connection() -> None:
    draining, ended = Draining(60), threading.Event()
    app = Drained(service, draining)
    assert "connection" not in (await get(app, "/v1/models")).headers
    assert (await get(app, "/ready")).status_code == 200

    draining.begin(ended.set)
    answer = await get(app, "/v1/models")
    assert (answer.status_code, answer.text, answer.headers["connection"]) == (200, "yes", "close")
    refused = await get(app, "/ready")
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    assert not ended.is_set()

    draining.begin(ended.set)
    assert ended.is_set()


def test_it_ends_after_its_seconds_and_at_once_where_there_are_none() -> None:
    begun, ended = time.monotonic(), threading.Event()
    Draining(0.05).begin(ended.set)
    assert ended.wait(30)
    assert time.monotonic() - begun >= 0.05
    at_once = threading.Event()
    Draining().begin(at_once.set)
    assert at_once.is_set()
