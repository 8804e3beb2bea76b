"""Replies that are lost, services that are busy, absent or no registry: retried where that is right, told in words."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import (
    Conflict,
    IntegrityError,
    InvalidData,
    ModelyardError,
    NotFound,
    StorageFull,
    Unavailable,
    UsageError,
)
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import RunState
from modelyard.registry.transfer import register_version, upload_artifacts
from tests.proxies.tcp import BreakingProxy
from tests.registries import NOON
from tests.registry.making import (
    BODY,
    all_changes,
    apply,
    claim_of,
    definition,
    feature_set,
    open_local,
    register,
    run_of,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Service


@pytest.fixture
def proxy(service: Service) -> Iterator[BreakingProxy]:
    with BreakingProxy(service.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: BreakingProxy) -> Iterator[HttpRegistry]:
    registry = HttpRegistry(proxy.url, deadline=5)
    yield registry
    registry.close()


def test_every_write_may_lose_its_reply(
    client: HttpRegistry, proxy: BreakingProxy, local: LocalRegistry, tmp_path: Path
) -> None:
    made = write_files(tmp_path / "made")

    def losing(call: Callable[[], object]) -> object:
        proxy.swallow = 2
        return call()

    losing(lambda: client.apply_model(definition(), project="lender", expected_revision=0, run=run_of()))
    assert local.model("ke").revision == 1
    version = losing(lambda: register_version(client, claim_of("key"), made))
    assert [local.latest("ke")] == list(local.versions("ke").items) == [version]
    upload_artifacts(client.claim(claim_of("by hand")), made)
    losing(lambda: client.complete("ke", 2))
    fact = losing(lambda: client.promote("ke", 1))
    assert list(local.promotions("ke")) == [fact]
    fact = losing(lambda: client.rollback("ke", to=2))
    assert list(local.promotions("ke"))[1:] == [fact]
    losing(lambda: client.archive_version("ke", 1))
    losing(lambda: client.register_feature_set(feature_set(), project="lender", lineage={}))
    losing(lambda: client.archive_feature_set("history"))
    losing(lambda: client.queue_run(run_of(attempt=2)))
    building = run_of().model_copy(update={"state": RunState.BUILDING})
    losing(lambda: client.update_run(building))
    losing(lambda: client.write_run_log(run_of().id, io.BytesIO(BODY)))
    assert b"".join(local.read_run_log(run_of().id)) == BODY
    losing(lambda: client.cancel_run(run_of().id))
    assert local.run(run_of().id).sequence == 3
    losing(lambda: client.archive_model("ke"))
    assert proxy.swallowed == 26
    happened = Counter(event.type for event in all_changes(local))
    assert {kind for kind, times in happened.items() if times > 1} == {"version.ready", "run.queued"}, "two of each"
    assert max(happened.values()) == 2


def test_a_download_goes_on_where_it_broke(client: HttpRegistry, proxy: BreakingProxy, tmp_path: Path) -> None:
    apply(client)
    large = b"[" + b"0.123456789, " * 100_000 + b"0]"
    files = {"model.json": large}
    register_version(client, claim_of(files=files), write_files(tmp_path / "large", files))
    for cut in (10, 5000, 100_000, 1_000_000):
        proxy.cut_after = cut
        assert b"".join(client.read_artifact("ke", 1, "model.json")) == large
        assert proxy.cut_after is None


def test_a_download_that_does_not_go_on_is_given_up(
    client: HttpRegistry, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(client)
    register(client, tmp_path)

    def broken(*_: object, **__: object) -> Iterator[bytes]:
        yield b""
        raise OSError

    monkeypatch.setattr(service.app.state.registry, "read_artifact", broken)
    with pytest.raises(Unavailable, match="does not answer"):
        b"".join(client.read_artifact("ke", 1, "model.json"))


def test_a_service_that_is_not_there_is_unavailable() -> None:
    registry = HttpRegistry("http://127.0.0.1:9", deadline=0.3)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer") as error:
        registry.model("ke")
    assert "modelyard serve registry" in error.value.hint
    assert time.monotonic() - begun < 3
    registry.close()


def test_a_busy_service_is_asked_again(service: Service, client: HttpRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(client)
    local = service.app.state.registry
    real, calls = local.model, []

    def busy(name: str) -> object:
        calls.append(name)
        if len(calls) < 3:
            msg = "busy"
            raise Unavailable(msg)
        return real(name)

    monkeypatch.setattr(local, "model", busy)
    begun = time.monotonic()
    assert client.model("ke").name == "ke"
    assert len(calls) == 3
    assert time.monotonic() - begun >= 2, "the service asked for a second each time"


@pytest.mark.parametrize(
    "error",
    [
        Conflict("c", "do this"),
        InvalidData("i"),
        IntegrityError("n"),
        NotFound("f", "look there"),
        StorageFull("full"),
        UsageError("u"),
        ModelyardError("m"),
    ],
)
def test_an_error_is_the_same_on_the_other_side(
    service: Service, client: HttpRegistry, monkeypatch: pytest.MonkeyPatch, error: ModelyardError
) -> None:
    calls = []

    def fail(name: str) -> None:
        calls.append(name)
        raise error

    monkeypatch.setattr(service.app.state.registry, "model", fail)
    with pytest.raises(ModelyardError) as caught:
        client.model("ke")
    assert type(caught.value) is type(error)
    assert (caught.value.reason, caught.value.hint) == (error.reason, error.hint)
    assert calls == ["ke"], "what will not pass is not asked again"


def test_a_failure_that_has_no_name_is_told(
    service: Service, client: HttpRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app.state.registry, "model", lambda _: 1 / 0)
    with pytest.raises(ModelyardError, match="something went wrong"):
        client.model("ke")


def test_something_else_at_the_address_is_told(service: Service) -> None:
    registry = HttpRegistry(f"{service.url}/elsewhere")
    with pytest.raises(NotFound):
        registry.model("ke")
    registry.close()
    for address in ("http://", "http://[", "ftp://127.0.0.1"):
        with pytest.raises((UsageError, Unavailable)):
            HttpRegistry(address, deadline=0.1).model("ke")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "no registry that this Modelyard understands"),
        (200, b"{}", "no registry that this Modelyard understands"),
        (200, b'{"items": [{"name": "ke", "later": 1}]}', "no registry that this Modelyard understands"),
        (302, b"", "302 Found"),
        (401, b"", "401 Unauthorized"),
    ],
)
def test_what_is_no_registry_is_told(status: int, body: bytes, told: str) -> None:
    class Other(BaseHTTPRequestHandler):
        """Something else that speaks HTTP."""

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with closing(HttpRegistry(f"http://127.0.0.1:{server.server_port}")) as registry:
            for call in (registry.models, registry.changes, partial(registry.live, "ke", NOON)):
                with pytest.raises(ModelyardError, match=told):
                    call()
        server.shutdown()
        thread.join()


def test_a_claim_that_was_lost_with_the_power_is_noticed(tmp_path: Path) -> None:
    registry = open_local(tmp_path / "home")
    apply(registry)
    register(registry, tmp_path, "first")

    class Forgetful:
        """A registry that lost a claim after it had answered, and gave its number away."""

        claim = registry.claim

        def complete(self, model: str, number: int) -> object:
            return registry.version(model, number - 1)

    with pytest.raises(Unavailable, match="lost the claim"):
        register_version(Forgetful(), claim_of("second"), tmp_path / "made")  # type: ignore[arg-type]  # all that is called
