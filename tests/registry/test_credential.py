"""The token of a client: shown to its registry, and to nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.errors import Forbidden, ModelyardError, NotFound, Unauthenticated, UsageError
from modelyard.registry.credential import Credential
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import Claim, UploadTarget
from modelyard.registry.transfer import upload_artifacts
from modelyard.settings import read_settings
from modelyard.wiring import open_registry
from tests.asgi.auth.servers import answering
from tests.principals import OWN, bearer, token_of, write_auth_file
from tests.registries import open_registry as open_home
from tests.registries import serving
from tests.registry.making import apply, claim_of, definition, register, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.registries import Service

CANARY = "canary-of-a-token"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that asks who calls."""
    registry = open_home(tmp_path / "home", actor="service")
    with serving(registry, authenticator=Authenticator(write_auth_file(tmp_path))) as running:
        yield running


class Connect(Protocol):
    """Opens a client with a token, or without."""

    def __call__(self, url: str, token: str = "") -> HttpRegistry: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as opened:

        def client_of(url: str, token: str = "") -> HttpRegistry:
            client = HttpRegistry(url, deadline=1, credential=Credential(token))
            opened.callback(client.close)
            return client

        yield client_of


def test_work_is_done_under_ones_own_name(connect: Connect, service: Service, tmp_path: Path) -> None:
    author, approver = connect(service.url, token_of("author")), connect(service.url, token_of("approver"))
    apply(author)
    version = register(author, tmp_path)  # bytes go to the service as well
    assert (version.created_by, version.authors) == ("author", ())
    assert approver.promote("ke", 1).recorded_by == "approver"
    assert [event.by for event in author.history("model:ke").items] == ["approver", "author", "author"]
    to = tmp_path / "fetched"
    connect(service.url, token_of("viewer")).download_artifact("ke", 1, "model.json", to)
    assert to.stat().st_size == version.artifacts[0].size


def test_what_one_may_not_do_is_an_error_of_its_own(connect: Connect, service: Service) -> None:
    apply(connect(service.url, token_of("author")))
    with pytest.raises(Forbidden, match="it takes the role approver or operator") as forbidden:
        connect(service.url, token_of("author")).promote("ke", 1)
    assert forbidden.value.exit_code == 77
    with pytest.raises(NotFound, match="there is no model `ke`"):
        connect(service.url, token_of("viewer elsewhere")).model("ke")
    with pytest.raises(Unauthenticated, match="has to know who calls") as unknown:
        connect(service.url).models()
    assert "MODELYARD_TOKEN" in unknown.value.hint
    with pytest.raises(Unauthenticated, match="not known here") as unknown:
        connect(service.url, CANARY).models()
    assert CANARY not in str(unknown.value)


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthenticated), (403, Forbidden)])
def test_a_proxy_that_refuses_is_understood_too(connect: Connect, status: int, kind: type[ModelyardError]) -> None:
    with answering(lambda _: (status, b"<html>")) as proxy, pytest.raises(kind):
        connect(proxy.url, CANARY).models()


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    with answering(lambda _: (200, {})) as elsewhere, answering(lambda _: (302, {"to": elsewhere.url})) as registry:
        with pytest.raises(ModelyardError):
            connect(registry.url, CANARY).models()
        assert registry.requests[0]["headers"]["Authorization"] == f"Bearer {CANARY}"
        assert elsewhere.requests == []


def test_another_host_that_takes_the_bytes_is_shown_nothing(connect: Connect, tmp_path: Path) -> None:
    claim = claim_of()
    with answering(lambda _: (200, b"")) as store:
        body: dict[str, Any] = {}
        with answering(lambda _: (201, body)) as registry:
            targets = (
                UploadTarget(path="model.json", url=f"{store.url}/bucket/key?X-Amz-Signature=abc", headers={"a": "b"}),
                UploadTarget(path="own.json", url="/v1/own"),
            )
            body.update(json.loads(Claim(version=pending(claim), targets=targets).model_dump_json()))
            claimed = connect(registry.url, CANARY).claim(claim)
        assert claimed.targets[0].headers == {"a": "b"}
        assert claimed.targets[1].headers == bearer(CANARY)
        assert CANARY not in repr(claimed)
        only = claimed.model_copy(update={"targets": claimed.targets[:1]})
        upload_artifacts(only, write_files(tmp_path))
        (sent,) = store.requests
        assert "Authorization" not in sent["headers"]
        assert CANARY not in str(sent)


def pending(claim: Any) -> Any:
    from datetime import UTC, datetime

    from modelyard.registry.records import ModelVersion, VersionState

    return ModelVersion(
        **dict(claim),
        team=OWN,
        number=1,
        state=VersionState.PENDING,
        location="models/x-abc",
        created_at=datetime.now(UTC),
        created_by="a",
    )


def test_a_file_is_read_anew_when_its_token_is_renewed(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token_of("author") + "\n")
    settings = read_settings(tmp_path, {"MODELYARD_REGISTRY": service.url, "MODELYARD_TOKEN_FILE": str(file)})
    registry = open_registry(settings)
    apply(registry)
    renewed = tmp_path / "renewed"
    renewed.write_text(token_of("operator"))
    renewed.replace(file)
    registry.apply_model(definition(seed=3), project="lender", expected_revision=1)
    assert [event.by for event in registry.history("model:ke").items] == ["operator", "author"]
    file.unlink()
    with pytest.raises(UsageError, match="can't be read"):
        registry.models()
    assert isinstance(registry, HttpRegistry)
    registry.close()


@pytest.mark.parametrize("said", [" ", "two words", "naïve", "a\nb", "\x00"])
def test_what_is_no_token_is_told_without_telling_it(tmp_path: Path, said: str) -> None:
    file = tmp_path / "token"
    file.write_text(f"canary{said}canary" if said.strip() else said)
    with pytest.raises(UsageError) as caught:
        Credential(file=str(file)).headers()
    assert "canary" not in caught.value.reason.replace(str(file), "")
    assert "canary" not in repr(Credential("canary"))
    assert Credential().headers() == {}


SERVE = """
import sys
from modelyard.cli.main import run
sys.exit(run(["serve", "registry", "--host", sys.argv[1], "--port", "0"]))
"""


def test_without_a_file_it_does_not_start_beyond_this_machine(tmp_path: Path) -> None:
    environment = {**os.environ, "MODELYARD_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", SERVE, "0.0.0.0"],  # noqa: S104 - refused
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    assert "MODELYARD_AUTH_FILE" in done.stderr


def test_nothing_that_is_written_tells_a_token(tmp_path: Path) -> None:
    """The canary: a service that listens everywhere, commands with good and bad tokens, and all that both print."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")},
        "MODELYARD_HOME": str(tmp_path / "home"),
        "MODELYARD_AUTH_FILE": str(write_auth_file(tmp_path)),
    }
    service = subprocess.Popen(
        [sys.executable, "-c", SERVE, "0.0.0.0"],  # noqa: S104 - with authentication
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert service.stderr is not None
    told = service.stderr.readline()
    url = "http://127.0.0.1:" + told.strip().rpartition(":")[2]
    said = ""
    try:
        for token, code in ((token_of("viewer"), 0), (token_of("viewer") + "-wrong", 77)):
            done = subprocess.run(
                [sys.executable, "-m", "modelyard.cli.main", "models"],
                env={**environment, "MODELYARD_REGISTRY": url, "MODELYARD_TOKEN": token},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, done.stderr
            said += done.stdout + done.stderr
    finally:
        service.send_signal(signal.SIGTERM)
        out, error = service.communicate(timeout=40)
    said += told + out + error
    assert "canary" not in said
    assert "is at http" in said
