"""Tokens that an OpenID Connect issuer signed (JWT).

The token says which issuer, which key and which algorithm; none of that is believed further than the configuration
goes. Only signatures with a private key count: with a shared secret (HS256), whoever knows the public key could sign.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, NoReturn

from modelyard.asgi.auth.file import made_principal
from modelyard.asgi.auth.issuer_keys import FileKeys, Keys, from_url
from modelyard.asgi.auth.principal import RUN_PREFIX, Role
from modelyard.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from modelyard.asgi.auth.file import Oidc
    from modelyard.asgi.auth.issuer_keys import Jwk, KeySet
    from modelyard.asgi.auth.principal import Principal
    from modelyard.asgi.auth.remembered import Remembered

ALGORITHMS = {"RS256": ("RSA", None), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
"""The algorithms that are believed, with the type and curve of their keys."""

LEEWAY = 60.0
"""Seconds that the issuer's clock may be ahead or behind."""

SHORT = 60.0
"""Seconds for which a verified token is not verified again."""

_LEAST_RSA = 2048  # bits
_LONGEST_NAME = 200


def peek(token: str) -> dict[str, Any] | None:
    """What a token's payload says, believed by nobody yet; None where it is no JWT."""
    parts = token.split(".")
    return _section(parts[1]) if len(parts) == 3 else None  # noqa: PLR2004 - header, payload, signature


def _section(part: str) -> dict[str, Any] | None:
    try:
        content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


class OidcTokens:
    """The tokens of one issuer.

    Args:
        entry: What is believed of it.
        taken: The names that others have; its tokens can't have them.
        keys: Its keys.
        remembered: Tokens that were verified just now.
        clock: The time, in seconds since 1970.
    """

    def __init__(
        self,
        entry: Oidc,
        taken: Collection[str],
        keys: KeySet,
        remembered: Remembered[Principal],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = entry.issuer
        self._entry = entry
        self._taken = taken
        self._keys = keys
        self._clock = clock
        self._remembered = remembered

    def authenticate(self, token: str) -> Principal:
        """Who has a token.

        Raises:
            Unauthenticated: It is not believed.
            Unavailable: The issuer's keys can't be had.
        """
        claims = self._verified(token)
        principal = self._principal(claims)
        self._remembered.put(token, principal, min(SHORT, claims["exp"] + LEEWAY - self._clock()))
        return principal

    def _verified(self, token: str) -> dict[str, Any]:
        import jwt

        header = _section(token.partition(".")[0])
        if header is None:
            _refuse("it is no token")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            _refuse(f"it is signed by none of {', '.join(ALGORITHMS)}")
        if "crit" in header:
            _refuse("it asks for extensions that are not known here")
        if kid is not None and not isinstance(kid, str):
            _refuse("its key has no name")
        found = self._keys.find(kid)
        if found is None:
            _refuse("its issuer has no such key")
        try:
            return jwt.decode(
                token,
                _key(found, algorithm),
                algorithms=[algorithm],
                audience=self._entry.audience,
                issuer=self._entry.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            _refuse(_IN_WORDS.get(type(error).__name__, "it does not verify"), error)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        entry = self._entry
        said = _at(claims, entry.claims.name)
        name = f"{entry.prefix}{said}"
        if not isinstance(said, str) or not said or len(name) > _LONGEST_NAME or not name.isprintable():
            _refuse(f"its `{entry.claims.name}` is no name")
        if name in self._taken or name.startswith((RUN_PREFIX, "system:")):
            _refuse(f"its `{entry.claims.name}` is somebody else's name")
        roles = {*entry.everybody, *_roles(_values(_at(claims, entry.claims.roles)), entry.roles)}
        teams = [
            team
            for value in _values(_at(claims, entry.claims.teams))
            if (team := value if entry.teams is None else entry.teams.get(value))
        ]
        # An issuer says which teams somebody is of; that he is of all, the file alone says.
        named = tuple(team for team in teams if entry.teams is not None or team != "*")
        return made_principal(name, tuple(roles), () if Role.OPERATOR in roles else named, reads=entry.reads)


def open_keys(entry: Oidc) -> KeySet:
    """The keys of an issuer."""
    if entry.jwks_file is not None:
        return FileKeys(entry.issuer, entry.jwks_file)
    return Keys(entry.issuer, from_url(entry.jwks_url or "", entry.ca_file))


def _key(found: Jwk, algorithm: str) -> Any:
    """A key that is meant for an algorithm."""
    import jwt

    kind, curve = ALGORITHMS[algorithm]
    if found.get("kty") != kind or found.get("alg", algorithm) != algorithm or (curve and found.get("crv") != curve):
        _refuse("its key is for another algorithm")
    key = jwt.PyJWK(found, algorithm).key
    if kind == "RSA" and key.key_size < _LEAST_RSA:
        _refuse("its key is too short")
    return key


_IN_WORDS = {
    "ExpiredSignatureError": "it has expired",
    "ImmatureSignatureError": "it is not valid yet",
    "InvalidAudienceError": "it is for another audience",
    "InvalidIssuerError": "it is of another issuer",
    "MissingRequiredClaimError": "it says not until when, of whom or for whom it is",
}


def _refuse(why: str, cause: Exception | None = None) -> NoReturn:
    msg = f"the token is not believed: {why}"
    raise Unauthenticated(msg, "get a new one from its issuer, for this service") from cause


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim: by its whole name first, for some are addresses with dots in them."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _values(claim: Any) -> list[str]:
    if isinstance(claim, str):
        return claim.split()
    return [value for value in claim if isinstance(value, str)] if isinstance(claim, list) else []


def _roles(values: Iterable[str], meant: Mapping[str, Role] | None) -> set[Role]:
    if meant is not None:
        return {meant[value] for value in values if value in meant}
    return {Role(value) for value in values if value in {*Role}}
