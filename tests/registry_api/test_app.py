"""The service itself: its description, its figures, whom it answers, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest

from modelyard.asgi.loopback import is_loopback
from modelyard.errors import Unavailable, UsageError
from registry_api.app import create_app
from registry_api.limits import BodyLimits, largest_body
from registry_api.serve import serve
from tests.registries import serving
from tests.registry.making import apply, open_local, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Service


@pytest.fixture(scope="module")
def description(local: LocalRegistry) -> dict[str, Any]:
    content: dict[str, Any] = create_app(local).openapi()
    return content


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_is_described_with_examples(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        assert operation["description"], name
        for status, answer in operation["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                assert "example" in content, (name, status, media_type)
        body = operation.get("requestBody", {}).get("content", {})
        for media_type, content in body.items():
            assert "example" in content or content["schema"].get("examples"), (name, media_type)


def test_examples_are_as_the_schemas_have_them(description: dict[str, Any]) -> None:
    def check(example: Any, schema: dict[str, Any]) -> None:
        jsonschema.validate(example, {**schema, "components": description["components"]})

    checked = 0
    for _, operation in operations(description):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                if content.get("schema") not in (None, {}) and content["schema"].get("format") != "binary":
                    check(content["example"], content["schema"])
                    checked += 1
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content["schema"].get("examples", ()):
                check(example, content["schema"])
                checked += 1
    assert checked > 60


def test_operations_have_names_of_their_own(description: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(description)]
    assert len(ids) == len(set(ids))
    assert len(ids) > 30


def test_every_route_answers_with_what_it_promises(client: httpx.Client) -> None:
    """The routes that read, once each: no answer is validated away, none is missing."""
    for path in (
        "/v1/models", "/v1/models/ke", "/v1/models/ke/versions", "/v1/models/ke/versions/1", "/v1/models/ke/latest",
        "/v1/models/ke/promotions", "/v1/models/ke/runs", "/v1/models/ke/versions/1/lineage", "/v1/feature-sets",
        "/v1/models/ke/live?at=2026-01-01T00:00:00Z", "/v1/models/ke/made-for?request=x", "/v1/feature-sets/history",
        "/v1/feature-sets/history/versions/1", "/v1/runs", "/v1/open-runs", f"/v1/runs/{run_of().id}", "/v1/changes",
        "/v1/history/model:ke", "/v1/dependents/source:loans", "/v1/affected/source:loans?column=label", "/health",
        "/ready", "/v1/trainer",
        "/docs", "/openapi.json",
    ):  # fmt: skip
        assert client.get(path).status_code == 200, path


def test_a_request_goes_to_the_path_with_its_own_name(client: httpx.Client) -> None:
    from registry_api import examples

    for method, path, body in (
        ("PUT", "/v1/models/other", examples.APPLY),
        ("POST", "/v1/models/other/versions", examples.CLAIM),
        ("PUT", "/v1/feature-sets/other", examples.REGISTER),
        ("PUT", "/v1/runs/other", examples.TRAINING),
    ):
        answer = client.request(method, path, json=examples.plain(body))
        assert answer.status_code == 422
        assert "send it to the path" in answer.json()["hint"]


def test_a_service_is_ready_while_its_store_answers(
    client: httpx.Client, local: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/ready").json() == {"status": "ready"}

    def gone() -> None:
        msg = "the store is gone"
        raise Unavailable(msg)

    monkeypatch.setattr(local, "ping", gone)
    answer = client.get("/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client.get("/health").status_code == 200


def test_a_store_that_cannot_be_read_is_the_service_s_own_fault(tmp_path: Path) -> None:
    registry = open_local(tmp_path)
    apply(registry)
    with serving(registry) as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        assert client.get("/ready").status_code == 200
        with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
            database.execute("UPDATE model SET body = '{}'")
            database.commit()
        answer = client.get("/v1/models/ke")
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:modelyard:problem:integrity")
        assert "backup" in answer.json()["hint"]
        with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
            database.execute("DROP TABLE model_head")
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:modelyard:problem:unavailable")


def test_a_store_of_a_newer_version_is_not_served(tmp_path: Path) -> None:
    apply(open_local(tmp_path))
    with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="schema 99"):
        serve(open_local(tmp_path), "127.0.0.1", 0, tell=lambda url: pytest.fail(f"it listens at {url}"))


def test_requests_are_counted_by_route_and_status(client: httpx.Client) -> None:
    for path in ("/v1/models/ke", "/v1/models/nobody", "/v1/models/NO", "/nowhere", "/elsewhere"):
        client.get(path)
    client.get("/v1/models/ke/versions/1/artifacts/model.json")
    text = client.get("/metrics").text
    for expected in (
        r'requests_total{method="GET",route="/v1/models/{model}",status="200"} [1-9]',
        r'requests_total{method="GET",route="/v1/models/{model}",status="404"} [1-9]',
        r'requests_total{method="GET",route="/v1/models/{model}",status="422"} [1-9]',
        r'requests_total{method="GET",route="unmatched",status="404"} 2',
        r'route="/v1/models/{model}/versions/{number}/artifacts/{path:path}",status="200"} 1',
        r'request_seconds_bucket{le="0.001",method="GET",route="/v1/models/{model}"}',
        r"requests_in_flight 1",
    ):
        assert re.search(expected.replace("{", r"\{").replace("}", r"\}"), text), expected
    assert "nobody" not in text, "names in paths make no series of their own"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_this_machine_s_names_are_answered(client: httpx.Client, host: str) -> None:
    assert is_loopback(host)
    named = f"[{host}]" if host == "::1" else host
    for header in (named, f"{named}:8700"):
        assert client.get("/health", headers={"Host": header}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0", "::", "", "[::]:80"])  # noqa: S104 - refused
def test_other_names_are_not(client: httpx.Client, host: str) -> None:
    assert not is_loopback(host)
    answer = client.get("/health", headers={"Host": host})
    assert answer.status_code in (400, 403)


def test_web_pages_of_other_sites_are_not_answered(client: httpx.Client, service: Service) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", service.url.replace("http", "https")):
        answer = client.post(f"/v1/runs/{run_of().id}/cancel", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:modelyard:problem:forbidden")
    assert client.get("/health", headers={"Origin": service.url}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "registry.example", ""])  # noqa: S104 - refused
def test_it_does_not_listen_where_others_reach_it(local: LocalRegistry, host: str) -> None:
    with pytest.raises(UsageError, match="without authentication"):
        serve(local, host, 0, tell=lambda url: pytest.fail(f"it listens at {url}"))


def test_bodies_have_limits_by_path() -> None:
    artifact = largest_body("/v1/models/ke/versions/1/artifacts/a/b.json")
    log = largest_body("/v1/runs/ke-1/log")
    other = largest_body("/v1/runs/ke-1")
    assert artifact > log > other > 4 * 1024**2
    assert largest_body("/v1/models/ke/versions/1/artifacts/") == other


@pytest.mark.anyio
async def test_a_body_that_stands_still_is_given_up() -> None:
    received: list[Message] = []

    async def read_body(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def stalling() -> Message:
        import asyncio

        received.append({})
        if len(received) > 1:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(_: Message) -> None:
        raise AssertionError

    from starlette.exceptions import HTTPException

    scope = {"type": "http", "path": "/v1/runs", "headers": []}
    with pytest.raises(HTTPException) as caught:
        await BodyLimits(read_body, slowest_part=0.05)(scope, stalling, send)
    assert caught.value.status_code == 408


SERVE = """
import sys
from pathlib import Path
from registry_api.serve import serve
from tests.registry.making import open_local
serve(open_local(Path(sys.argv[1])), "127.0.0.1", 0, tell=lambda url: print(url, flush=True))
"""


def test_a_signal_ends_it_after_the_requests_in_progress(tmp_path: Path) -> None:
    apply(open_local(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        with httpx.Client(base_url=process.stdout.readline().strip(), trust_env=False, timeout=30) as client:
            client.get("/health").raise_for_status()

            def slow_body() -> Iterator[bytes]:
                yield b'{"rea'
                os.kill(process.pid, signal.SIGTERM)
                time.sleep(0.5)
                yield b'son": "done"}'

            headers = {"Content-Type": "application/json"}
            answer = client.post("/v1/models/ke/archive", content=slow_body(), headers=headers)
            assert answer.status_code == 200
            assert json.loads(answer.content)["archived_at"]
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()
