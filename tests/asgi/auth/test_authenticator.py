"""All kinds of tokens behind one door, its file, and what it never tells."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard.asgi.auth.authenticated import Authenticated
from modelyard.asgi.auth.authenticator import LONGEST, Authenticator, open_authenticator
from modelyard.asgi.auth.file import read_auth_file
from modelyard.asgi.auth.rules import CALLER
from modelyard.asgi.auth.runs import RunFacts
from modelyard.asgi.auth.static import new_token
from modelyard.errors import Unauthenticated, Unavailable, UsageError
from modelyard.run_tokens import mint
from tests.principals import KEY, LOOKED, entry, granted, token_of, write_auth_file

RUN = "ke-aaaaaaaaaaaa-1"
KUBERNETES = {"audiences": ["modelyard"], "subjects": [{"subject": "a/b", "roles": ["viewer"]}]}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_token_of_the_file_is_known(tmp_path: Path) -> None:
    authenticator = Authenticator(write_auth_file(tmp_path))
    principal = authenticator.quick(token_of("author"))
    assert principal is not None
    assert granted(principal) == ("author", ["author"], ["credit-ke"])
    assert authenticator.authenticate(token_of("author")) == principal
    operator = authenticator.quick(token_of("operator"))
    assert operator is not None
    assert (operator.is_operator, operator.acts_for("anything"), operator.sees("anything")) == (True, True, True)


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", token_of("author") + "x", token_of("author")[:-1], "run.x.1.y", sha256(token_of("author"))],
)
def test_another_is_not(tmp_path: Path, token: str) -> None:
    authenticator = Authenticator(write_auth_file(tmp_path))
    assert authenticator.quick(token) is None
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(token)


def test_a_token_without_end_is_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="not known here"):
        Authenticator(write_auth_file(tmp_path)).authenticate("a" * (LONGEST + 1))


def test_a_token_of_a_run_is_good_while_the_run_goes_on(tmp_path: Path) -> None:
    runs = {RUN: RunFacts("ke", "credit-ke", 2, ended=False, bundles=frozenset({"b"}))}
    authenticator = Authenticator(write_auth_file(tmp_path), run_key_file=str(tmp_path / "run-key"), find_run=runs.get)
    principal = authenticator.authenticate(mint(RUN, 2, KEY))
    assert granted(principal) == (f"run:{RUN}", [], ["credit-ke"])
    assert principal.run is not None
    assert (principal.run.id, principal.run.model, sorted(principal.run.bundles)) == (RUN, "ke", ["b"])
    assert authenticator.quick(mint(RUN, 2, KEY)) is None  # never remembered: a run may end at any moment
    for stale in (mint(RUN, 1, KEY), mint(RUN, 3, KEY), mint("ke-bbbbbbbbbbbb-1", 2, KEY), mint(RUN, 2, KEY[::-1])):
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(stale)
    runs[RUN] = RunFacts("ke", "credit-ke", 2, ended=True)
    with pytest.raises(Unauthenticated, match=f"try 2 of run `{RUN}` has ended"):
        authenticator.authenticate(mint(RUN, 2, KEY))


def test_a_service_that_knows_no_runs_knows_no_token_of_one(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="not known here"):
        Authenticator(write_auth_file(tmp_path)).authenticate(mint(RUN, 2, KEY))


def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    file = write_auth_file(tmp_path)
    found = {RUN: RunFacts("ke", "credit-ke", 1, ended=False)}.get
    (tmp_path / "run-key").write_text("secret")
    with pytest.raises(UsageError, match="can be guessed"):
        Authenticator(file, run_key_file=str(tmp_path / "run-key"), find_run=found)


def test_the_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = write_auth_file(tmp_path)
    authenticator = Authenticator(file)
    file.write_text(yaml.safe_dump({"tokens": [entry("viewer"), entry("new", roles=["viewer"])]}))
    time.sleep(LOOKED)
    assert authenticator.quick(token_of("new")) is not None
    assert authenticator.quick(token_of("viewer")) is not None
    assert authenticator.quick(token_of("author")) is None


def test_a_file_that_is_broken_locks_nobody_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_auth_file(tmp_path)
    authenticator = Authenticator(file)
    file.write_text("tokens: [")
    time.sleep(LOOKED)
    assert authenticator.quick(token_of("author")) is not None
    assert "authentication stays as it was" in capsys.readouterr().out
    file.unlink()
    time.sleep(LOOKED)
    assert authenticator.quick(token_of("author")) is not None


def test_two_tokens_of_one_name_are_both_good(tmp_path: Path) -> None:
    token, digest = new_token()
    second = {**entry("author"), "sha256": digest}
    file = write_auth_file(tmp_path, tokens=[entry("author"), second])
    authenticator = Authenticator(file)
    assert authenticator.quick(token) == authenticator.quick(token_of("author"))
    assert len(token) > 40
    assert token != new_token()[0]


GOOD = {"name": "a", "sha256": "a" * 64, "roles": ["viewer"]}
OIDC = {"issuer": "https://x", "audience": "m", "jwks_url": "https://x/keys"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tokens: [", ":1:1"),
        ("[]", "valid dictionary"),
        ("", "valid dictionary"),
        ("{}", "nobody could call"),
        ("tokens: []", "nobody could call"),
        ("tokens: []\ntokens: []", "stands twice"),
        ("tokens: [{name: a, name: b}]", "stands twice"),
        ("\0", "no YAML"),
        ({"tokens": [GOOD], "token": []}, "token: Extra"),
        ({"tokens": [{**GOOD, "team": ["x"]}]}, "tokens.0.team: Extra"),
        ({"tokens": [{**GOOD, "sha256": "canary-secret"}]}, "tokens.0.sha256"),
        ({"tokens": [{**GOOD, "token": "canary-secret"}]}, "tokens.0.token"),
        ({"tokens": [{**GOOD, "name": "run:x"}]}, "tokens.0.name"),
        ({"tokens": [{**GOOD, "name": "a b"}]}, "tokens.0.name"),
        ({"tokens": [{**GOOD, "roles": ["root"]}]}, "tokens.0.roles.0"),
        ({"tokens": [{**GOOD, "roles": []}]}, "tokens.0.roles"),
        ({"tokens": [{**GOOD, "roles": ["author"]}]}, "changes things of `teams`"),
        ({"tokens": [{**GOOD, "roles": ["operator"], "teams": ["x"]}]}, "acts for all teams"),
        ({"tokens": [GOOD, {**GOOD, "name": "b"}]}, "the same sha256"),
        ({"tokens": [{**GOOD, "sha256": sha256("changeme")}]}, "everybody would try first"),
        ({"tokens": [{**GOOD, "sha256": sha256("")}]}, "everybody would try first"),
        ({"oidc": [{**OIDC, "jwks_url": "http://x.example/keys"}]}, "has to be https"),
        ({"oidc": [{**OIDC, "jwks_url": "file:///etc/keys"}]}, "has to be https"),
        ({"oidc": [{**OIDC, "jwks_url": None}]}, "either `jwks_url` or `jwks_file`"),
        ({"oidc": [{**OIDC, "jwks_file": "/x"}]}, "either `jwks_url` or `jwks_file`"),
        ({"oidc": [{**OIDC, "audience": ""}]}, "oidc.0.audience"),
        ({"oidc": [{**OIDC, "prefix": "run:"}]}, "names that runs"),
        ({"oidc": [OIDC, OIDC]}, "the same issuer"),
        ({"oidc": [{**OIDC, "algorithms": ["none"]}]}, "oidc.0.algorithms: Extra"),
        ({"kubernetes": {**KUBERNETES, "audiences": []}}, "kubernetes.audiences"),
        ({"kubernetes": {**KUBERNETES, "subjects": [{"subject": "a", "roles": ["viewer"]}]}}, "subjects.0.subject"),
        ("#" * 2_000_000, "more than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, said: Any, told: str) -> None:
    file = tmp_path / "auth.yaml"
    file.write_text(said if isinstance(said, str) else yaml.safe_dump(said))
    with pytest.raises(UsageError) as caught:
        read_auth_file(file)
    assert told in caught.value.reason
    assert str(file) in caught.value.reason
    assert "canary" not in str(caught.value)
    assert caught.value.exit_code == 64


def test_the_guides_own_file_is_one(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operators-security.md").read_text()
    (shown,) = re.findall(r"^## The file\n+```yaml\n(.*?)```", guide, re.MULTILINE | re.DOTALL)
    file = tmp_path / "auth.yaml"
    digests = iter("abcdef")
    file.write_text(re.sub(r"[0-9a-f]{4}…", lambda _: next(digests) * 64, shown))
    authenticator = Authenticator(file)
    file.write_text(yaml.safe_dump({"oidc": [{**OIDC, "teams": {"credit-kenya": "credit-ke"}}]}))
    time.sleep(LOOKED)
    assert authenticator.quick(token_of("viewer")) is None


@pytest.mark.parametrize("name", ["amina@example.org", "login:amina", "auth0|5f7c", "Amina Wanjiru", "https://id/7"])
def test_a_person_has_one_name_by_every_way(tmp_path: Path, name: str) -> None:
    file = write_auth_file(tmp_path)
    person = {**entry("laptop", roles=["viewer"]), "person": name}
    file.write_text(yaml.safe_dump({"tokens": [person]}))
    assert Authenticator(file).authenticate(token_of("laptop")).name == name


@pytest.mark.parametrize("name", ["", "run:ke-1", "system:serviceaccount:a:b", "a\nb", "x" * 201])
def test_a_person_has_the_name_of_one(tmp_path: Path, name: str) -> None:
    file = write_auth_file(tmp_path)
    file.write_text(yaml.safe_dump({"tokens": [{**entry("laptop", roles=["viewer"]), "person": name}]}))
    with pytest.raises(UsageError, match=r"tokens\.0\.person"):
        Authenticator(file)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        Authenticator(tmp_path / "nowhere.yaml")
    assert open_authenticator("") is None


def test_issuers_and_the_cluster_are_asked_about_their_own_tokens(tmp_path: Path) -> None:
    import jwt

    file = write_auth_file(
        tmp_path,
        oidc=[{**OIDC, "issuer": "https://a", "jwks_url": "http://127.0.0.1:1/"}],
        kubernetes={
            **KUBERNETES,
            "api": "http://127.0.0.1:1",
            "ca_file": None,
            "token_file": str(tmp_path / "run-key"),
        },
    )
    authenticator = Authenticator(file)
    key = "k" * 32
    with pytest.raises(Unauthenticated, match="signed by none of"):
        authenticator.authenticate(jwt.encode({"iss": "https://a", "aud": "modelyard"}, key))
    with pytest.raises(Unauthenticated, match="not known here"):
        authenticator.authenticate(jwt.encode({"iss": "https://b", "aud": "m"}, key))
    with pytest.raises(Unavailable, match="API server"):
        authenticator.authenticate(jwt.encode({"iss": "https://b", "aud": "modelyard"}, key))


# The door ----------------------------------------------------------------------------------------------------------


class Door:
    """An app behind the door, called without a server."""

    def __init__(self, file: Path) -> None:
        self.seen: list[Any] = []
        self.sent: list[dict[str, Any]] = []
        self._app = Authenticated(self._inside, Authenticator(file), {"/health"})

    async def _inside(self, scope: Any, _receive: Any, send: Any) -> None:
        self.seen.append(scope.get(CALLER))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def knock(self, *authorization: str, path: str = "/v1/models", kind: str = "http") -> int:
        self.sent.clear()
        headers = [(b"authorization", value.encode("latin-1")) for value in authorization]

        async def send(message: Any) -> None:
            self.sent.append(message)

        async def receive() -> Any:
            raise AssertionError  # nothing is read of who is refused

        await self._app({"type": kind, "path": path, "headers": headers}, receive, send)
        status: int = self.sent[0].get("status", 0)
        return status


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(write_auth_file(tmp_path))


@pytest.mark.anyio
async def test_who_shows_his_token_is_let_in(door: Door) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await door.knock(f"{scheme} {token_of('author')}") == 200
    assert [caller.name for caller in door.seen] == ["author"] * 3


@pytest.mark.anyio
@pytest.mark.parametrize(
    "shown",
    [
        (), ("",), ("Bearer",), ("Bearer ",), ("Basic YTpi",), (token_of("author"),), ("Bearer wrong",),
        (f"Bearer {token_of('author')}", f"Bearer {token_of('author')}"),
        ("Bearer wrong", f"Bearer {token_of('author')}"),
        (f"Bearer {token_of('author')}\x00",), ("Bearer \xff",), (f"Bearer  {token_of('author')} x",),
        (f"Token {token_of('author')}",), (f"Bearer,{token_of('author')}",),
    ],
)  # fmt: skip
async def test_who_does_not_is_refused(door: Door, shown: tuple[str, ...]) -> None:
    assert await door.knock(*shown) == 401
    assert door.seen == []
    start, body = door.sent
    assert (b"www-authenticate", b'Bearer realm="modelyard"') in start["headers"]
    assert b"urn:modelyard:problem:unauthenticated" in body["body"]
    assert b"canary" not in body["body"]


@pytest.mark.anyio
async def test_what_is_open_asks_nobody(door: Door) -> None:
    assert await door.knock(path="/health") == 200
    assert await door.knock(path="/health/") == 401
    assert door.seen == [None]


@pytest.mark.anyio
async def test_web_sockets_are_closed(door: Door) -> None:
    await door.knock(kind="websocket")
    assert door.sent == [{"type": "websocket.close", "code": 1008}]
    assert door.seen == []


@pytest.mark.anyio
async def test_who_can_say_so_being_down_is_no_refusal(tmp_path: Path) -> None:
    import jwt

    kubernetes = {**KUBERNETES, "api": "http://127.0.0.1:1", "ca_file": None, "token_file": str(tmp_path / "run-key")}
    door = Door(write_auth_file(tmp_path, kubernetes=kubernetes))
    assert await door.knock("Bearer " + jwt.encode({"aud": "modelyard", "canary": 1}, "k" * 32)) == 503
    assert (b"retry-after", b"1") in door.sent[0]["headers"]


def test_a_principal_tells_no_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator = Authenticator(write_auth_file(tmp_path))
    principal = authenticator.quick(token_of("author"))
    assert "canary" not in repr(principal)
    assert "canary" not in repr(vars(authenticator))
    assert "canary" not in caplog.text
