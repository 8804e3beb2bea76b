"""The file that says who may call a service: `MODELYARD_AUTH_FILE`. It holds no token, only digests of tokens."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from modelyard.asgi.auth.principal import RUN_PREFIX, Principal, Role
from modelyard.asgi.loopback import is_loopback
from modelyard.errors import UsageError

Team = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$")]

ALL_TEAMS = "*"
"""Stands for every team, those of tomorrow included."""

_GUESSED = frozenset(
    hashlib.sha256(word.encode()).hexdigest()
    for word in ("", "admin", "changeme", "default", "modelyard", "password", "secret", "test", "token")
)
_MACHINES = (RUN_PREFIX, "system:")
"""How the names of runs and of service accounts begin."""

_LARGEST = 1 << 20  # bytes: ten thousand tokens


class Entry(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Grant(Entry):
    """What somebody may do."""

    roles: tuple[Role, ...] = Field(min_length=1)
    """viewer, author, approver, operator."""
    teams: tuple[Team, ...] = ()
    """The teams whose things he sees and may change; `*` for all. An operator has none: he acts for all."""
    reads: Literal["own", "all"] | None = None
    """all: he sees the things of other teams too; own: he does not. Without teams `all`, else `own`, unless said."""

    @model_validator(mode="after")
    def _is_meant(self) -> Grant:
        if Role.OPERATOR in self.roles and self.teams:
            msg = "an operator acts for all teams: leave `teams` out"
            raise ValueError(msg)
        if not self.teams and {Role.AUTHOR, Role.APPROVER} & {*self.roles} and Role.OPERATOR not in self.roles:
            msg = "an author or approver changes things of `teams`: name them, or write ['*'] for all"
            raise ValueError(msg)
        return self

    def principal(self, name: str) -> Principal:
        """Somebody who may do this.

        Args:
            name: His name in the history.
        """
        return made_principal(name, self.roles, self.teams, reads=self.reads)


def made_principal(
    name: str, roles: tuple[Role, ...], teams: tuple[str, ...], *, reads: Literal["own", "all"] | None
) -> Principal:
    """Who has these roles for these teams."""
    return Principal(
        name=name,
        roles=frozenset(roles),
        teams=None if ALL_TEAMS in teams else frozenset(teams),
        reads_all=not teams if reads is None else reads == "all",
    )


class StaticToken(Grant):
    """Somebody with a token that `modelyard token` made."""

    name: Name
    """His name in the history. Two entries with one name let both tokens in: so a token is replaced."""
    person: str | None = Field(default=None, min_length=1, max_length=200)
    """The name that an issuer gives the same person: it is his name in the history then, however he comes."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The SHA-256 of the token, in hexadecimal digits."""

    @field_validator("person")
    @classmethod
    def _is_no_machine(cls, value: str | None) -> str | None:
        # Whatever an issuer may call somebody, its prefix included: `login:amina`, `auth0|5f7c`.
        if value is not None and (not value.isprintable() or value.startswith(_MACHINES)):
            msg = "no issuer gives anybody this name"
            raise ValueError(msg)
        return value

    @field_validator("sha256")
    @classmethod
    def _is_no_default(cls, value: str) -> str:
        if value in _GUESSED:
            msg = "this is the digest of a token that everybody would try first"
            raise ValueError(msg)
        return value


class Claims(Entry):
    """Where a token of an issuer says what; a dot leads into an object."""

    name: str = "sub"
    roles: str = "roles"
    teams: str = "teams"


class Oidc(Entry):
    """An OpenID Connect issuer whose tokens are believed."""

    issuer: str = Field(min_length=1)
    """What `iss` of its tokens says, to the letter."""
    audience: str = Field(min_length=1)
    """What `aud` of its tokens has to hold: tokens that it made for other services are none for this one."""
    jwks_url: str | None = None
    """Where its public keys are: https, or http on this machine."""
    jwks_file: Path | None = None
    """A file with its public keys, instead; read anew when it changes."""
    ca_file: Path | None = None
    """Whom to believe that the issuer's server is his, instead of the usual authorities."""
    claims: Claims = Claims()
    roles: dict[str, Role] | None = None
    """What the values of the roles' claim mean; they are the roles' own names unless said."""
    teams: dict[str, Team] | None = None
    """What the values of the teams' claim mean; they are the teams' own names unless said."""
    everybody: tuple[Role, ...] = ()
    """Roles of everybody whom it knows."""
    reads: Literal["own", "all"] | None = None
    """all: they see the things of other teams too; own: they do not. Without teams `all`, else `own`, unless said."""
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._@+:-]{0,50}$")
    """What their names in the history begin with; so two issuers can't both name somebody `amina`."""

    @model_validator(mode="after")
    def _has_keys(self) -> Oidc:
        if (self.jwks_url is None) == (self.jwks_file is None):
            msg = "say either `jwks_url` or `jwks_file`"
            raise ValueError(msg)
        parts = urlsplit(self.jwks_url or "https://file")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            msg = "`jwks_url` has to be https: whoever can change the keys on their way can be anybody"
            raise ValueError(msg)
        if self.prefix.startswith(_MACHINES):
            msg = "`prefix` would make names that runs and service accounts have"
            raise ValueError(msg)
        return self


class Subject(Grant):
    """Service accounts of the cluster."""

    subject: str = Field(pattern=r"^[a-z0-9*][a-z0-9*.-]*/[a-z0-9*][a-z0-9*.-]*$")
    """NAMESPACE/NAME; `*` stands for any letters. The first entry that fits is the one that counts."""


class Kubernetes(Entry):
    """The cluster, whose API server says which service account a token is of."""

    audiences: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(min_length=1)
    """The token has to be made for one of them."""
    subjects: tuple[Subject, ...] = Field(min_length=1)
    """Which service accounts may do what."""
    api: str = "https://kubernetes.default.svc"
    """The API server."""
    token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    """This service's own token, with which it asks; read anew at each question."""
    ca_file: Path | None = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
    """Whom to believe that the API server is the cluster's."""


class AuthFile(Entry):
    """Who may call a service."""

    tokens: tuple[StaticToken, ...] = ()
    oidc: tuple[Oidc, ...] = ()
    kubernetes: Kubernetes | None = None

    @model_validator(mode="after")
    def _is_of_use(self) -> AuthFile:
        if not (self.tokens or self.oidc or self.kubernetes):
            msg = "nobody could call the service: name `tokens`, `oidc` or `kubernetes`"
            raise ValueError(msg)
        digests = [token.sha256 for token in self.tokens]
        if len(set(digests)) < len(digests):
            msg = "two `tokens` have the same sha256"
            raise ValueError(msg)
        issuers = [issuer.issuer for issuer in self.oidc]
        if len(set(issuers)) < len(issuers):
            msg = "two entries of `oidc` have the same issuer"
            raise ValueError(msg)
        return self


class _Loader(yaml.SafeLoader):
    """A loader that takes no key twice: the second would silently take the place of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len({str(key) for key in keys}) < len(keys):
            problem = "a key stands twice"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def read_auth_file(path: Path) -> AuthFile:
    """What the file says.

    Args:
        path: The file.

    Raises:
        UsageError: It can't be read, or is not valid; the message repeats nothing of what it holds.
    """
    hint = "docs/operators-security.md shows such a file; `modelyard token NAME` makes an entry"
    try:
        text = path.read_bytes()[: _LARGEST + 1]
        if len(text) > _LARGEST:
            reason = f"`{path}` has more than {_LARGEST:,} bytes"
            raise UsageError(reason, hint)
        return AuthFile.model_validate(yaml.load(text, _Loader))  # noqa: S506 - a safe loader's child
    except OSError as error:
        reason = f"`{path}`, which MODELYARD_AUTH_FILE names, can't be read: {error.strerror}"
        raise UsageError(reason, hint) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        reason = f"`{path}`{place}: {error.problem}"
        raise UsageError(reason, hint) from None  # its own text repeats lines of the file
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        reason = f"`{path}` is no YAML"
        raise UsageError(reason, hint) from None
    except ValidationError as error:
        reason = f"`{path}`: {_first(error)}"
        raise UsageError(reason, hint) from None


def _first(error: ValidationError) -> str:
    """What is wrong first, and where; nothing of what stands there."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"


def checked_entry(entry: dict[str, Any]) -> None:
    """Make sure that an entry of `tokens` is valid.

    Raises:
        UsageError: It is not.
    """
    try:
        StaticToken.model_validate(entry)
    except ValidationError as error:
        raise UsageError(_first(error), "--role ROLE and --team TEAM may be given several times") from None
