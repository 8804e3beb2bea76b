"""Programs of this machine are answered; web pages and other names are not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from modelyard.asgi.loopback import LoopbackOnly, check_loopback, is_loopback
from modelyard.asgi.measured import Measured, method_of, route_of
from modelyard.errors import UsageError

if TYPE_CHECKING:
    from modelyard.asgi import App, Message, Receive, Scope, Send


async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def answer(app: App, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(_call(app, scope, send))
    return sent


async def _call(app: App, scope: Scope, send: Send) -> None:
    await app(scope, nothing, send)


def request(**headers: str) -> Scope:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "scheme": "http", "method": "POST", "headers": pairs}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.7.6", "::1", "[::1]"])
def test_addresses_of_this_machine_alone_may_be_listened_on(host: str) -> None:
    check_loopback(host, "promote")
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "", "localhost.example.org"])  # noqa: S104 - it must be refused
def test_every_other_address_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="everybody who reaches it may score"):
        check_loopback(host, "score")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8700"},
        {"host": "localhost"},
        {"host": "[::1]:8700"},
        {"host": "localhost:8700", "origin": "http://localhost:8700"},
    ],
)
def test_programs_of_this_machine_are_answered(headers: dict[str, str]) -> None:
    assert answer(LoopbackOnly(greet), request(**headers))[0]["status"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "rebound.example.org:8700"},
        {"host": "10.0.0.7"},
        {"host": "localhost:8700", "origin": "https://example.org"},
        {"host": "localhost:8700", "origin": "null"},
        {"host": "localhost:8700", "origin": "http://localhost:3000"},
    ],
)
def test_other_names_and_web_pages_are_refused_with_a_problem(headers: dict[str, str]) -> None:
    start, body = answer(LoopbackOnly(greet), request(**headers))
    assert start["status"] == 403
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    content = json.loads(body["body"])
    assert content["type"] == "urn:modelyard:problem:forbidden"
    assert content["status"] == 403


class Notes:
    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[tuple[str, str, str]] = []

    def begin(self) -> None:
        self.begun += 1

    def end(self, scope: Scope, status: str, seconds: float) -> None:
        assert seconds >= 0
        self.ended.append((method_of(scope), route_of(scope), status))


def test_every_request_is_measured() -> None:
    notes = Notes()
    answer(Measured(greet, notes), {**request(), "method": "BREW"})
    answer(Measured(greet, notes), {"type": "lifespan"})
    assert (notes.begun, notes.ended) == (1, [("other", "unmatched", "200")])


def test_a_request_that_breaks_counts_as_an_error_of_the_service() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    notes = Notes()
    with pytest.raises(ZeroDivisionError):
        answer(Measured(broken, notes), request())
    assert notes.ended == [("POST", "unmatched", "500")]
