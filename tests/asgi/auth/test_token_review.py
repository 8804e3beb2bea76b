"""Tokens of service accounts: what the API server is asked, and what is made of its answers."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.asgi.auth.file import Kubernetes, Subject
from modelyard.asgi.auth.principal import Principal, Role
from modelyard.asgi.auth.remembered import Remembered
from modelyard.asgi.auth.token_review import NEGATIVE, POSITIVE, ServiceAccounts
from modelyard.errors import Unauthenticated, Unavailable
from tests.asgi.auth.servers import answering
from tests.principals import granted

if TYPE_CHECKING:
    from pathlib import Path

SUBJECTS = (
    Subject(subject="modelyard/controller", roles=(Role.OPERATOR,)),
    Subject(subject="train-*/build", roles=(Role.AUTHOR,), teams=("credit-ke",)),
)


def token(aud: Any = ("modelyard",), **claims: Any) -> str:
    """A token as the kubelet projects it; only the API server can say whether it is one."""
    payload = {"aud": list(aud) if isinstance(aud, tuple) else aud, "exp": int(time.time()) + 3600, **claims}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.c2ln"


def status(username: str = "system:serviceaccount:modelyard:controller", **changes: Any) -> tuple[int, Any]:
    said = {"authenticated": True, "user": {"username": username}, "audiences": ["modelyard"], **changes}
    return 201, {"kind": "TokenReview", "status": said}


class Steps:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def steps() -> Steps:
    return Steps()


def asking(api: str, folder: Path, steps: Steps) -> tuple[ServiceAccounts, Remembered[Principal]]:
    own = folder / "own-token"
    own.write_text("own-token-canary\n")
    entry = Kubernetes(audiences=("modelyard",), subjects=SUBJECTS, api=api, token_file=own, ca_file=None)
    remembered: Remembered[Principal] = Remembered(steps)
    accounts = ServiceAccounts(entry, remembered)
    accounts._bad = Remembered(steps)
    return accounts, remembered


def test_the_api_server_says_whose_a_token_is(tmp_path: Path, steps: Steps) -> None:
    shown = token()
    with answering(lambda _: status()) as api:
        accounts, _ = asking(api.url, tmp_path, steps)
        principal = accounts.authenticate(shown)
        (asked,) = api.requests
    assert granted(principal) == ("system:serviceaccount:modelyard:controller", ["operator"], [])
    assert asked["path"] == "/apis/authentication.k8s.io/v1/tokenreviews"
    assert asked["headers"]["Authorization"] == "Bearer own-token-canary"
    assert asked["body"]["spec"] == {"token": shown, "audiences": ["modelyard"]}


@pytest.mark.parametrize(
    ("username", "roles", "teams"),
    [
        ("system:serviceaccount:train-ke:build", ["author"], ["credit-ke"]),
        ("system:serviceaccount:train-ke:other", [], []),
        ("system:serviceaccount:x-train-ke:build", [], []),
        ("system:serviceaccount:modelyard:controller2", [], []),
        ("system:serviceaccount:train-a/b:build", [], []),
    ],
)
def test_the_first_subject_that_fits_says_what_it_may(
    tmp_path: Path, steps: Steps, username: str, roles: list[str], teams: list[str]
) -> None:
    with answering(lambda _: status(username)) as api:
        principal = asking(api.url, tmp_path, steps)[0].authenticate(token())
    assert granted(principal) == (username, roles, teams)


@pytest.mark.parametrize(
    "answer",
    [
        status(authenticated=False),
        status(authenticated="true"),
        status(audiences=["other"]),
        status(audiences=None),  # an API server that knows no audiences says none
        status(username="kubernetes-admin"),
        status(user=None),
        (201, {"status": {"error": "invalid"}}),
    ],
)
def test_what_the_cluster_does_not_know_is_refused(tmp_path: Path, steps: Steps, answer: Any) -> None:
    with answering(lambda _: answer) as api:
        accounts, _ = asking(api.url, tmp_path, steps)
        shown = token()
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                accounts.authenticate(shown)
        assert len(api.requests) == 1  # it is not asked about the same again and again
        steps.now += NEGATIVE
        with pytest.raises(Unauthenticated):
            accounts.authenticate(shown)
        assert len(api.requests) == 2


@pytest.mark.parametrize(
    "answer", [(500, {}), (429, {}), (401, {}), (403, {}), (200, b"<html>"), (200, []), (302, {"to": "/"})]
)
def test_an_api_server_that_cannot_say_is_not_the_callers_fault(tmp_path: Path, steps: Steps, answer: Any) -> None:
    shown = token()
    with answering(lambda _: answer) as api:
        accounts, _ = asking(api.url, tmp_path, steps)
        with pytest.raises(Unavailable, match="cluster") as caught:
            accounts.authenticate(shown)
    assert shown not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_is_known_stays_known_while_the_api_server_is_down(tmp_path: Path, steps: Steps) -> None:
    shown = token()
    with answering(lambda _: status()) as api:
        accounts, remembered = asking(api.url, tmp_path, steps)
        known = accounts.authenticate(shown)
    steps.now += POSITIVE - 1
    assert remembered.get(shown) == known
    with pytest.raises(Unavailable):
        accounts.authenticate(token(jti="another"))
    steps.now += 2
    assert remembered.get(shown) is None
    with pytest.raises(Unavailable):
        accounts.authenticate(shown)


def test_a_token_is_not_known_longer_than_it_is_valid(tmp_path: Path, steps: Steps) -> None:
    shown = token(exp=int(time.time()) + 5)
    with answering(lambda _: status()) as api:
        accounts, remembered = asking(api.url, tmp_path, steps)
        accounts.authenticate(shown)
    assert remembered.get(shown) is not None
    steps.now += 6
    assert remembered.get(shown) is None


def test_only_tokens_for_this_service_are_asked_about(tmp_path: Path, steps: Steps) -> None:
    accounts, _ = asking("http://127.0.0.1:1", tmp_path, steps)
    assert accounts.may_be(token())
    assert accounts.may_be(token(aud="modelyard"))
    for shown in (token(aud=("other",)), token(aud=None), token(aud={"modelyard": 1}), "opaque", "a.b.c", "..", ""):
        assert not accounts.may_be(shown)
