"""Whatever is sent, the answer is a problem with a status of the 400s, and never a 500."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from modelyard.asgi.problem import MEDIA_TYPE
from registry_api import examples
from registry_api.app import create_app
from registry_api.limits import LARGEST_BODY
from tests.registry.making import claim_of, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Service

BODIES = {
    ("PUT", "/v1/models/ke"): examples.plain(examples.APPLY),
    ("POST", "/v1/models/ke/archive"): examples.plain(examples.ARCHIVE),
    ("POST", "/v1/models/ke/versions"): examples.plain(examples.CLAIM),
    ("POST", "/v1/models/ke/versions/1/archive"): examples.plain(examples.ARCHIVE),
    ("POST", "/v1/models/ke/promotions"): examples.plain(examples.PROMOTE),
    ("POST", "/v1/models/ke/rollback"): examples.plain(examples.ROLLBACK),
    ("PUT", "/v1/feature-sets/history"): examples.plain(examples.REGISTER),
    ("POST", "/v1/feature-sets/history/archive"): examples.plain(examples.ARCHIVE),
    ("POST", "/v1/runs"): examples.plain(examples.QUEUED),
    ("PUT", f"/v1/runs/{run_of().id}"): examples.plain(examples.TRAINING),
}
"""Every route that takes JSON, with a good body for another model."""

DEEP = "[" * 100_000 + "]" * 100_000
VALUES = [
    "null", "true", "0", "-1", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" + "0" * 400, "1" + "0" * 5000,
    '""', '"../../etc/passwd"', '"%2e%2e%2f"', '"\\ud800"', '"\\u0000"', '"a\\nb"', json.dumps("x" * 100_000), "[]",
    "[[]]", "{}", '{"a": {"b": []}}', '{"a": 1, "a": 2}', DEEP, '"9999-12-31T23:59:59-12:00"',
    '"0001-01-01T00:00:00+14:00"',
    '"2026-02-30T00:00:00Z"', '"2026-01-01T00:00:00"', '"${jndi:ldap://x}"', "\"'; DROP TABLE model; --\"",
    '"{{7*7}}"', '"file:///etc/passwd"', '"http://169.254.169.254/"',
]  # fmt: skip
"""Values of every bad sort, as JSON text."""

RAW = [
    b"", b" ", b"{", b"}", b"[1,]", b"\xff\xfe", b"\x80\x04\x95pickle.", b'{"a": "\xed\xa0\x80"}', b"null", b"[]",
    b'"x"',
    DEEP.encode(), b"{" * 100_000, b'{"a": 1}' * 2, b'{"version": 1e400, "version": 1}', b"<xml/>", b"a=b&c=d",
]  # fmt: skip
"""Bodies that are no good JSON object."""


def check(answer: httpx.Response, *, allowed: range = range(400, 500)) -> None:
    """The answer is a problem, in words."""
    assert answer.status_code in allowed, (answer.request.method, answer.request.url, answer.status_code, answer.text)
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert problem["type"].startswith("urn:modelyard:problem:")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_every_field_takes_no_bad_value(client: httpx.Client, method: str, path: str) -> None:
    good = BODIES[method, path]
    for place in _places(good):
        for value in VALUES[::6] if place[0] in READ_WHOLE else VALUES:
            text = json.dumps(_changed(good, place)).replace(f'"{HERE}"', value)
            answer = client.request(method, path, content=text.encode(), headers={"Content-Type": "application/json"})
            if answer.status_code >= 400:
                check(answer)
            assert place[-1] != "unknown" or answer.status_code == 422


HALVES = [b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xed\xa0\x80"']
"""Halves of characters, as JSON text: escaped, in the wrong order, and as bytes that are no UTF-8."""

TEXTS = {
    ("POST", "/v1/models/ke/versions"): claim_of("another").model_dump(mode="json"),
    ("POST", "/v1/models/ke/promotions"): examples.plain(examples.PROMOTE),
    ("POST", "/v1/models/ke/rollback"): examples.plain(examples.ROLLBACK),
}
"""Bodies with texts that come as far as the rules."""


@pytest.mark.parametrize(("method", "path"), TEXTS)
@pytest.mark.parametrize("half", HALVES)
def test_halves_of_characters_are_refused(client: httpx.Client, method: str, path: str, half: bytes) -> None:
    good = TEXTS[method, path]
    for place in _places(good):
        text = json.dumps(_changed(good, place)).encode().replace(f'"{HERE}"'.encode(), half)
        answer = client.request(method, path, content=text, headers={"Content-Type": "application/json"})
        check(answer)
        assert answer.status_code == 422


def test_whole_characters_that_are_escaped_are_taken(client: httpx.Client) -> None:
    body = rb'{"reason": "\ud83d\ude00"}'
    answer = client.post("/v1/models/ke/archive", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


HERE = "@@here@@"
READ_WHOLE = ("definition", "spec")
"""Fields that are read by one reader each: a few values show that its errors are told."""


def _places(content: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a body, and one in each object that is not foreseen."""
    if place:
        yield place
    if isinstance(content, dict):
        if not {*place[:1]} & {*READ_WHOLE} and place[-1:] not in [("lineage",), ("metrics",)]:
            yield (*place, "unknown")
        for name, inner in content.items():
            yield from _places(inner, (*place, name))
    elif isinstance(content, list):
        for number, inner in enumerate(content):
            yield from _places(inner, (*place, number))


def _changed(content: Any, place: tuple[str | int, ...]) -> Any:
    """A body with a mark at a place."""
    if not place:
        return HERE
    if isinstance(content, list):
        return [_changed(inner, place[1:]) if number == place[0] else inner for number, inner in enumerate(content)]
    return {**content, place[0]: _changed(content.get(place[0]), place[1:])}


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, method: str, path: str) -> None:
    for body in RAW:
        check(client.request(method, path, content=body, headers={"Content-Type": "application/json"}))
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"):
        good = json.dumps(BODIES[method, path]).encode()
        check(client.request(method, path, content=good, headers={"Content-Type": media_type}))
    check(client.request(method, path, headers={"Content-Type": "application/json"}))


NAMES = [
    "..", "%2e%2e", "%2e%2e%2fke", "..%2fke", "ke%00", "ke%0a", "Ke", "k" * 64, "ke%23", "ke%3Fx", "%F0%9F%92%A9",
    "%ff",
    "ke%5C", "file%3Ake", "%24%28id%29", "ke%3B", "%ed%a0%80", "-", "%20",
]  # fmt: skip
PATHS = [
    "/v1/models/{}", "/v1/models/{}/versions", "/v1/models/{}/latest", "/v1/models/{}/versions/1",
    "/v1/models/{}/promotions",
    "/v1/models/{}/live?at=2026-01-01T00:00:00Z", "/v1/models/{}/runs", "/v1/models/ke/versions/{}",
    "/v1/models/ke/versions/1/artifacts/{}", "/v1/models/{}/versions/1/artifacts/model.json",
    "/v1/models/ke/versions/{}/lineage",
    "/v1/feature-sets/{}", "/v1/feature-sets/history/versions/{}", "/v1/runs/{}", "/v1/runs/{}/log",
    "/v1/history/model:{}",
    "/v1/dependents/source:{}", "/v1/affected/source:{}", "/v1/{}", "/{}",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_names_lead_nowhere_else(service: Service, path: str) -> None:
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"))
    for name in NAMES:
        # Sent as it is: a client like httpx would resolve the dots by itself.
        connection.request("GET", path.format(name))
        answer = connection.getresponse()
        body = answer.read()
        assert 400 <= answer.status < 500, (path, name, answer.status, body)
        assert json.loads(body)["status"] == answer.status
    connection.close()


@pytest.mark.parametrize(
    "query",
    [
        "/v1/models?limit=0", "/v1/models?limit=1001", "/v1/models?limit=x", "/v1/models?limit=1e3",
        "/v1/models?limit=",
        "/v1/models?limit=99999999999999999999999", "/v1/models?page=x", "/v1/models?page=%00",
        "/v1/models?page=Ilx1ZDgwMCI", "/v1/dependents/source:loans?page=Ilx1ZDgwMCI",
        "/v1/models?page=" + "a" * 3000,
        "/v1/models/ke/versions?page=InNvbmdzIg", "/v1/models/ke/versions?page=MWUz", "/v1/runs?page=bnVsbA",
        "/v1/models/ke/versions?page=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk",
        "/v1/changes?after=-1", "/v1/changes?after=x", "/v1/changes?after=", "/v1/changes?after=W10",
        "/v1/changes?after=W1sxXV0",
        "/v1/changes?after=W1stMSwiYSJdXQ", "/v1/changes?after=W1sxLCIiXV0", "/v1/changes?after=" + "W" * 9000,
        "/v1/changes?limit=-5",
        "/v1/models/ke/live", "/v1/models/ke/live?at=", "/v1/models/ke/live?at=yesterday",
        "/v1/models/ke/live?at=2026-01-01",
        "/v1/models/ke/live?at=2026-01-01T00:00:00", "/v1/models/ke/live?at=0001-01-01T00:00:00%2B14:00",
        "/v1/models/ke/live?at=9999-12-31T23:59:59-12:00", "/v1/models/ke/live?at=NaN", "/v1/models/ke/made-for",
        "/v1/models/ke/made-for?request=../x", "/v1/models/ke/made-for?request=", "/v1/models/ke/versions/0",
        "/v1/models/ke/versions/-1", "/v1/models/ke/versions/1.5", "/v1/models/ke/versions/99999999999999999999999",
        "/v1/affected/source:loans?column=" + "x" * 200, "/v1/affected/pod:x", "/v1/affected/source:a.b",
    ],
)  # fmt: skip
def test_queries_have_bounds(client: httpx.Client, query: str) -> None:
    check(client.get(query))


def test_what_is_no_route_is_told_so(client: httpx.Client) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/models/ke", 405),
        ("PATCH", "/v1/runs", 405),
        ("POST", "/v1/models/ke/versions/1/artifacts/model.json", 405),
        ("TRACE", "/health", 405),
    ):
        answer = client.request(method, path)
        check(answer)
        assert answer.status_code == status


def test_a_body_has_an_end(client: httpx.Client) -> None:
    huge = b'{"definition": "' + b"x" * LARGEST_BODY + b'"}'
    headers = {"Content-Type": "application/json"}
    answer = client.put("/v1/models/ke", content=huge, headers=headers)
    check(answer)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:modelyard:problem:too-large"

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(huge), 1 << 20):
            yield huge[start : start + (1 << 20)]

    try:
        answer = client.put("/v1/models/ke", content=chunks(), headers=headers)
    except httpx.TransportError:
        return  # the service closed the connection before it had all been sent
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {LARGEST_BODY + 1}", b"{}"),
        ("Content-Length: -1", b"{}"),
        ("Content-Length: 2\r\nContent-Length: 3", b"{}"),
        ("Content-Length: x", b"{}"),
        ("Transfer-Encoding: chunked", b"zz\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", b"zz\r\n{}\r\n0\r\n\r\n"),
    ],
)
def test_a_header_that_lies_about_the_body_is_refused(service: Service, headers: str, body: bytes) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = f"PUT /v1/models/ke HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        assert re.match(rb"HTTP/1.1 4\d\d ", connection.recv(100))


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v1/models/ke"), ("POST", "/v1/runs")])
def test_what_is_refused_repeats_no_broken_text(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(
        method, path, content=b'{"\\ud800": "\\udfff"}', headers={"Content-Type": "application/json"}
    )
    check(answer)


async def _send(app: Any, path: str) -> tuple[int, bytes]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get(path)
        return answer.status_code, answer.content


@pytest.mark.anyio
async def test_what_should_not_have_happened_says_nothing_of_the_inside(
    local: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise KeyError("a secret path")  # noqa: EM101 - what a bug raises

    monkeypatch.setattr(local, "model", fail)
    status, body = await _send(create_app(local), "/v1/models/ke")
    assert status == 500
    assert b"secret" not in body
    assert json.loads(body)["type"] == "urn:modelyard:problem:internal"


def test_a_body_that_does_not_say_that_it_is_json_is_told_how(client: httpx.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/v1/models/ke/promotions", content=b'{"version": 1}', headers=form)
    check(answer)
    assert (answer.status_code, answer.json()["hint"]) == (422, "send the body as `content-type: application/json`")
    answer = client.post("/v1/models/ke/promotions", content=b"[]", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["hint"]) == (422, "/docs describes every request")
