"""Tokens of an issuer: which are believed, and the tries to have others believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from modelyard.asgi.auth.file import Claims, Oidc
from modelyard.asgi.auth.issuer_keys import INTERVAL, LIFETIME, Keys, from_url
from modelyard.asgi.auth.oidc import OidcTokens, open_keys
from modelyard.asgi.auth.principal import Role
from modelyard.asgi.auth.remembered import Remembered
from modelyard.errors import Unauthenticated, Unavailable
from tests.asgi.auth.servers import answering
from tests.principals import granted
from tests.registries import Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ISSUER, AUDIENCE = "https://login.example", "modelyard"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
SIGNERS: dict[str, Any] = {"RS256": RSA, "ES256": EC, "EdDSA": ED}


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    public = key.public_key()
    kinds: dict[type, Any] = {rsa.RSAPublicKey: RSAAlgorithm, ec.EllipticCurvePublicKey: ECAlgorithm}
    algorithm = next((made for kind, made in kinds.items() if isinstance(public, kind)), OKPAlgorithm)
    return {**json.loads(algorithm.to_jwk(public)), "kid": kid, **more}


KEYS = {
    "keys": [
        jwk(RSA, "RS256", use="sig"),
        jwk(EC, "ES256", alg="ES256"),
        jwk(ED, "EdDSA"),
        jwk(SHORT_RSA, "short"),
        jwk(EC_384, "other curve"),
        jwk(RSA, "for encrypting", use="enc"),
        jwk(RSA, "for another algorithm", alg="RS512"),
        "nonsense",
    ]
}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wanjiru", "exp": now + 300, "iat": now, "roles": ["approver"]}
    return {name: value for name, value in {**said, "teams": ["credit-ke"], **changes}.items() if value is not None}


def token(algorithm: str = "RS256", *, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    head = {"kid": algorithm, **(header or {})}
    return jwt.encode(claims(**changes), key or SIGNERS[algorithm], algorithm, headers=head)


def by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes], payload: Any = None) -> str:
    """A token that no honest library makes."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(part(json.dumps(said).encode()) for said in (header, payload or claims()))
    return f"{signed}.{part(sign(signed.encode()))}"


def accepting(keys: Any = KEYS, **entry: Any) -> OidcTokens:
    said = Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://login.example/keys", **entry)
    source = Keys(ISSUER, lambda: json.dumps(keys).encode())
    return OidcTokens(said, frozenset({"taken"}), source, Remembered())


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_a_token_of_the_issuer_is_believed(algorithm: str) -> None:
    principal = accepting().authenticate(token(algorithm))
    assert granted(principal) == ("wanjiru", ["approver"], ["credit-ke"])
    assert (principal.reads_all, principal.run) == (False, None)


def test_one_audience_among_several_is_enough() -> None:
    assert accepting().authenticate(token(aud=["other", AUDIENCE])).name == "wanjiru"


PUBLIC_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hs256(signed: bytes) -> bytes:
    return hmac.new(PUBLIC_PEM, signed, hashlib.sha256).digest()


def short_rsa(signed: bytes) -> bytes:
    return SHORT_RSA.sign(signed, PKCS1v15(), SHA256())


ATTACKS: dict[str, Callable[[], str]] = {
    "no signature": lambda: by_hand({"alg": "none", "kid": "RS256"}, lambda _: b""),
    "no signature, spelt otherwise": lambda: by_hand({"alg": "nOnE", "kid": "RS256"}, lambda _: b""),
    "no algorithm": lambda: by_hand({"kid": "RS256"}, lambda _: b"x"),
    "an algorithm that is none": lambda: by_hand({"alg": ["RS256"], "kid": "RS256"}, lambda _: b"x"),
    "signed with the public key as a secret": lambda: by_hand({"alg": "HS256", "kid": "RS256"}, hs256),
    "a key of another kind": lambda: token("RS256", header={"kid": "ES256"}),
    "another curve": lambda: jwt.encode(claims(), EC_384, "ES384", headers={"kid": "other curve"}),
    "an algorithm that is not believed": lambda: jwt.encode(claims(), RSA, "PS256", headers={"kid": "RS256"}),
    "a short key": lambda: by_hand({"alg": "RS256", "kid": "short"}, short_rsa),
    "a key for encrypting": lambda: token(header={"kid": "for encrypting"}),
    "a key for another algorithm": lambda: token(header={"kid": "for another algorithm"}),
    "a key of its own": lambda: token(key=OTHER_RSA, header={"jwk": jwk(OTHER_RSA, "RS256")}),
    "a key from a place of its own": lambda: token(key=OTHER_RSA, header={"jku": "https://evil.example/keys"}),
    "another signer": lambda: token(key=OTHER_RSA),
    "an unknown key": lambda: token(header={"kid": "nobody's"}),
    "a key's name that is a path": lambda: token(header={"kid": "../../etc/passwd"}),
    "a key's name that is none": lambda: by_hand({"alg": "RS256", "kid": {"a": 1}}, lambda _: b"x"),
    "another audience": lambda: token(aud="other"),
    "no audience": lambda: token(aud=None),
    "an audience that is an object": lambda: token(aud={"modelyard": 1}),
    "another issuer": lambda: token(iss="https://login.example/"),
    "no issuer": lambda: token(iss=None),
    "expired": lambda: token(exp=int(time.time()) - 61),
    "never expires": lambda: token(exp=None),
    "not yet valid": lambda: token(nbf=int(time.time()) + 90),
    "made in the future": lambda: token(iat=int(time.time()) + 90),
    "an end that is no number": lambda: token(exp="tomorrow"),
    "critical extensions": lambda: token(header={"crit": ["b64"], "b64": False}),
    "critical extensions that are none": lambda: token(header={"crit": []}),
    "a changed payload": lambda: ".".join(
        new if number == 1 else old
        for number, (old, new) in enumerate(zip(token().split("."), token(sub="root").split("."), strict=True))
    ),
    "nothing signed": lambda: token().rpartition(".")[0] + ".",
    "a name that a token of the file has": lambda: token(sub="taken"),
    "the name of a run": lambda: token(sub="run:ke-aaaaaaaaaaaa-1"),
    "the name of a service account": lambda: token(sub="system:serviceaccount:a:b"),
    "a name that is none": lambda: token(sub=""),
    "a name of several lines": lambda: token(sub="a\nb"),
    "no name": lambda: token(sub=None),
    "a payload that is a list": lambda: by_hand({"alg": "RS256", "kid": "RS256"}, lambda _: b"x", payload=[1]),
    "no base64": lambda: "%%%.%%%.%%%",
    "deep JSON": lambda: base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".e30.e30",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_of_the_issuer_is_refused(attack: str) -> None:
    attempt = ATTACKS[attack]()
    with pytest.raises(Unauthenticated) as caught:
        accepting().authenticate(attempt)
    assert attempt not in str(caught.value)


def test_clocks_may_differ_by_a_minute() -> None:
    now = int(time.time())
    assert accepting().authenticate(token(exp=now - 50, nbf=now + 50)).name == "wanjiru"


def test_claims_are_found_where_the_file_says() -> None:
    entry: dict[str, Any] = {
        "claims": Claims(name="email", roles="realm_access.roles", teams="https://example.com/groups"),
        "roles": {"ml-approvers": Role.APPROVER, "ml-ops": Role.OPERATOR},
        "teams": {"cn=credit": "credit-ke"},
        "everybody": (Role.VIEWER,),
        "prefix": "corp-",
        "reads": "all",
    }
    said: dict[str, Any] = {
        "email": "a@b.example",
        "realm_access": {"roles": ["ml-approvers", "operator"]},
        "https://example.com/groups": ["cn=credit", "*", "cn=other"],
    }
    principal = accepting(**entry).authenticate(token(**said))
    assert granted(principal) == ("corp-a@b.example", ["approver", "viewer"], ["credit-ke"])
    assert principal.reads_all


def test_an_issuer_does_not_say_that_somebody_is_of_all_teams() -> None:
    assert granted(accepting().authenticate(token(teams=["*", "credit-ke"])))[2] == ["credit-ke"]
    assert granted(accepting().authenticate(token(teams="*")))[2] == []


def test_who_has_no_role_is_known_and_may_nothing() -> None:
    principal = accepting().authenticate(token(roles=["admin", 7], teams=None))
    assert (principal.roles, principal.teams) == (frozenset(), frozenset())
    assert accepting().authenticate(token(roles="viewer author")).roles == {Role.VIEWER, Role.AUTHOR}


# Keys --------------------------------------------------------------------------------------------------------------


class Seconds(Clock):
    """A clock that counts seconds."""

    def __call__(self) -> float:  # type: ignore[override]
        return self.now.timestamp()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def test_a_flood_of_names_asks_the_issuer_once_an_interval(clock: Seconds) -> None:
    with answering(lambda _: (200, KEYS)) as issuer:
        keys = Keys(ISSUER, from_url(issuer.url, None), clock)
        for number in range(50):
            assert keys.find(f"flood {number}") is None
        assert keys.find("RS256") is not None
        assert len(issuer.requests) == 1
        clock.pass_(seconds=INTERVAL + 1)
        for number in range(50):
            assert keys.find(f"flood {number}") is None
        assert len(issuer.requests) == 2


def test_a_new_key_is_fetched_when_a_token_names_it(clock: Seconds) -> None:
    served = {"keys": [jwk(RSA, "old")]}
    with answering(lambda _: (200, served)) as issuer:
        keys = Keys(ISSUER, from_url(issuer.url, None), clock)
        assert keys.find("old") is not None
        served["keys"] = [jwk(EC, "new")]
        assert keys.find("new") is None  # a key is announced before it signs
        clock.pass_(seconds=INTERVAL + 1)
        assert keys.find("new") is not None
        assert keys.find("old") is None


def test_withdrawn_keys_go_within_the_hour(clock: Seconds) -> None:
    served = {"keys": [jwk(RSA, "leaked"), jwk(EC, "good")]}
    with answering(lambda _: (200, served)) as issuer:
        keys = Keys(ISSUER, from_url(issuer.url, None), clock)
        assert keys.find("leaked") is not None
        served["keys"].pop(0)
        clock.pass_(seconds=LIFETIME)
        assert keys.find("leaked") is None


@pytest.mark.parametrize(
    "broken", [(500, {}), (200, b"<html>"), (200, {"keys": []}), (200, []), (302, {"to": "/x"}), (200, b"x" * 2**21)]
)
def test_the_last_good_keys_stay_while_the_issuer_is_down(clock: Seconds, broken: Any) -> None:
    answers = {"now": (200, KEYS)}
    with answering(lambda _: answers["now"]) as issuer:
        keys = Keys(ISSUER, from_url(issuer.url, None), clock)
        assert keys.find("RS256") is not None
        answers["now"] = broken
        for _ in range(3):
            clock.pass_(hours=5)
            assert keys.find("RS256") is not None
        assert len(issuer.requests) == 4
    clock.pass_(hours=5)
    assert keys.find("RS256") is not None  # nobody listens there any more


def test_without_keys_nobody_is_believed_and_the_caller_may_try_again(clock: Seconds) -> None:
    keys = Keys(ISSUER, from_url("http://127.0.0.1:1/keys", None), clock)
    entry = Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://login.example/keys")
    tokens = OidcTokens(entry, frozenset(), keys, Remembered())
    with pytest.raises(Unavailable, match=r"the keys of https://login.example can't be had"):
        tokens.authenticate(token())


def test_keys_in_a_file_are_as_the_file_has_them(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = open_keys(Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_file=file))
    with pytest.raises(Unavailable, match="can't be had"):
        keys.find("old")
    file.write_text(json.dumps({"keys": [jwk(RSA, "old")]}))
    assert keys.find("old") is not None
    file.write_text(json.dumps({"keys": [jwk(EC, "a new one")]}))
    assert keys.find("a new one") is not None
    assert keys.find("old") is None
    for broken in ("{", '{"keys": []}'):
        file.write_text(broken)
        assert keys.find("a new one") is not None
    file.unlink()
    assert keys.find("a new one") is not None


def test_one_key_without_a_name_is_the_one(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    nameless = {name: value for name, value in jwk(ED, "x").items() if name != "kid"}
    file.write_text(json.dumps({"keys": [nameless]}))
    entry = Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_file=file)
    tokens = OidcTokens(entry, frozenset(), open_keys(entry), Remembered())
    assert tokens.authenticate(jwt.encode(claims(), ED, "EdDSA")).name == "wanjiru"


def test_private_keys_are_none_that_verify() -> None:
    private = json.loads(RSAAlgorithm.to_jwk(RSA)) | {"kid": "RS256"}
    with pytest.raises(Unavailable):
        accepting({"keys": [private]}).authenticate(token())
