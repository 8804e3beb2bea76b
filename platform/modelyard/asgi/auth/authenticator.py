"""Who has a token: each kind of token is asked about where it can be known."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from modelyard.asgi.auth.file import read_auth_file
from modelyard.asgi.auth.oidc import OidcTokens, open_keys, peek
from modelyard.asgi.auth.remembered import Remembered
from modelyard.asgi.auth.runs import RunTokens
from modelyard.asgi.auth.static import StaticTokens
from modelyard.asgi.auth.token_review import ServiceAccounts
from modelyard.errors import Unauthenticated
from modelyard.files import file_stamp
from modelyard.run_tokens import PREFIX, read_run_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.asgi.auth.file import AuthFile, Oidc
    from modelyard.asgi.auth.issuer_keys import KeySet
    from modelyard.asgi.auth.principal import Principal
    from modelyard.asgi.auth.runs import RunFacts

    FindRun = Callable[[str], RunFacts | None]

LONGEST = 8192
"""Characters of a token; those of issuers with many groups have some thousand."""

LOOK = 1.0
"""Seconds between two looks at whether the file changed."""

_log = structlog.get_logger(__name__)

_UNKNOWN, _HINT = "the token is not known here", "ask whoever runs the service for one"


class Authenticator:
    """Says who has a token, as its file has it now.

    The file is read anew when it changes. One that can't be read, or is not valid, changes nothing but the log: a
    typing error must not lock everybody out, and the entries that were there stay as they were.

    Args:
        path: The file that `MODELYARD_AUTH_FILE` names.
        run_key_file: The key of run tokens, read anew with the file; there are no run tokens without one.
        find_run: What is known of a run; run tokens are good for nothing without it.

    Raises:
        UsageError: The file, or the key, can't be read or is not valid.
    """

    def __init__(self, path: Path, *, run_key_file: str = "", find_run: FindRun | None = None) -> None:
        self._path = path
        self._run_key_file = run_key_file
        self._find_run = find_run
        self._keys: dict[tuple[object, ...], KeySet] = {}
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._stamp = file_stamp(path)
        self._kinds = self._opened(read_auth_file(path))

    def quick(self, token: str) -> Principal | None:
        """Who has a token that was given out, or was looked at just now; None where that takes a longer look."""
        self._look()
        kinds = self._kinds
        return kinds.static.find(token) or kinds.remembered.get(token)

    def authenticate(self, token: str) -> Principal:
        """Who has a token; it may take a question to somebody else.

        Raises:
            Unauthenticated: Nobody.
            Unavailable: Whoever could say so does not answer.
        """
        kinds = self._kinds
        if len(token) > LONGEST:
            raise Unauthenticated(_UNKNOWN, _HINT)
        if (known := kinds.static.find(token)) is not None:
            return known
        if token.startswith(PREFIX) and kinds.runs is not None:
            return kinds.runs.authenticate(token)
        claims = peek(token)
        issuer = None if claims is None else claims.get("iss")
        for oidc in kinds.oidc:
            if oidc.issuer == issuer:
                return oidc.authenticate(token)
        if kinds.kubernetes is not None and kinds.kubernetes.may_be(token):
            return kinds.kubernetes.authenticate(token)
        raise Unauthenticated(_UNKNOWN, _HINT)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            stamp = file_stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._kinds = self._opened(read_auth_file(self._path))
                _log.info("authentication read anew", file=str(self._path))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, whoever calls is answered
            _log.error("authentication stays as it was", reason=str(error))
        finally:
            self._lock.release()

    def _opened(self, said: AuthFile) -> _Kinds:
        return _Kinds(said, self)

    def keys_of(self, entry: Oidc) -> KeySet:
        """The keys of an issuer; what was fetched stays when the file is read anew."""
        place = (entry.issuer, entry.jwks_url, entry.jwks_file, entry.ca_file)
        if place not in self._keys:
            self._keys[place] = open_keys(entry)
        return self._keys[place]

    def run_tokens(self) -> RunTokens | None:
        """What knows run tokens, where the service knows runs."""
        if self._find_run is None or not self._run_key_file:
            return None
        return RunTokens(read_run_key(self._run_key_file), self._find_run)


def open_authenticator(
    auth_file: str, *, run_key_file: str = "", find_run: FindRun | None = None
) -> Authenticator | None:
    """Who says who calls; None where no file is named.

    Args:
        auth_file: What `MODELYARD_AUTH_FILE` says.
        run_key_file: What `MODELYARD_RUN_KEY_FILE` says.
        find_run: What is known of a run, where the service knows runs.

    Raises:
        UsageError: The file, or the key, can't be read or is not valid.
    """
    return Authenticator(Path(auth_file), run_key_file=run_key_file, find_run=find_run) if auth_file else None


class _Kinds:
    """The kinds of tokens, as the file had them at one moment."""

    def __init__(self, said: AuthFile, authenticator: Authenticator) -> None:
        self.remembered: Remembered[Principal] = Remembered()
        self.static = StaticTokens(said.tokens)
        names = frozenset(entry.name for entry in said.tokens if entry.person is None)
        self.oidc = [OidcTokens(entry, names, authenticator.keys_of(entry), self.remembered) for entry in said.oidc]
        self.kubernetes = None if said.kubernetes is None else ServiceAccounts(said.kubernetes, self.remembered)
        self.runs = authenticator.run_tokens()
