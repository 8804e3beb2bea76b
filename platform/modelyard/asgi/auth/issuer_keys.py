"""An issuer's public keys: fetched, kept, and fetched again when they are old or one is missing.

A token may name any key it likes, so an unknown name alone must not make the service ask: it does so once an interval
at most. While the issuer does not answer, the keys that it gave last stay good. Those in a file are as it has them.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import structlog

from modelyard.errors import Unavailable
from modelyard.files import file_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

INTERVAL = 60.0
"""Seconds between two fetches, whatever tokens name: keys are announced long before they sign."""
FIRST_INTERVAL = 5.0
"""The same while there are no keys at all: nobody gets in meanwhile."""
LIFETIME = 3600.0
"""Seconds after which keys are fetched again without being missed, so that withdrawn ones go."""

_TIMEOUT = 5.0
_LARGEST = 1 << 20  # bytes of a key set; those of large providers have some thousand

_log = structlog.get_logger(__name__)

Jwk = dict[str, Any]


class KeySet(Protocol):
    """The keys of one issuer; threads may share them."""

    def find(self, kid: str | None) -> Jwk | None:
        """A key by its name; the only key, where no name is said. None where there is none, as far as is known.

        Raises:
            Unavailable: There are no keys yet.
        """


class KeySource(Protocol):
    """Where keys come from."""

    def __call__(self) -> bytes:
        """The key set as JSON (RFC 7517)."""


def from_url(url: str, ca_file: Path | None) -> KeySource:
    """Keys behind an address. No redirect is followed, and the environment names no proxy."""

    def fetch() -> bytes:
        import ssl

        verify = True if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
        with (
            httpx.Client(timeout=_TIMEOUT, trust_env=False, verify=verify) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                msg = f"{url} answered {answer.status_code}"
                raise ValueError(msg)
            content = b""
            for part in answer.iter_bytes():
                content += part
                if len(content) > _LARGEST:
                    msg = f"{url} sent more than {_LARGEST:,} bytes"
                    raise ValueError(msg)
        return content

    return fetch


class FileKeys:
    """The keys of one issuer in a file: read anew once it has changed. While it can't be read, its last ones stay good.

    Args:
        issuer: Whose they are, for messages.
        path: The file.
    """

    def __init__(self, issuer: str, path: Path) -> None:
        self._issuer = issuer
        self._path = path
        self._lock = threading.Lock()
        self._keys: Mapping[str, Jwk] | None = None
        self._stamp: tuple[int, ...] | None = None

    def find(self, kid: str | None) -> Jwk | None:
        """A key by its name; the only key, where no name is said. None where there is none in the file.

        Raises:
            Unavailable: The file could not be read yet.
        """
        with self._lock:
            stamp = file_stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keys = _read(self._path.read_bytes())
                except (OSError, ValueError) as error:
                    _not_had(self._issuer, error)
            return _pick(_there(self._keys, self._issuer), kid)


class Keys:
    """The keys of one issuer behind an address.

    Args:
        issuer: Whose they are, for messages.
        source: Where they come from.
        clock: Seconds that only go up.
    """

    def __init__(self, issuer: str, source: KeySource, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, Jwk] | None = None
        self._fetched = self._tried = float("-inf")

    def find(self, kid: str | None) -> Jwk | None:
        """A key by its name; the only key, where no name is said. None where there is none, as of the last fetch.

        Raises:
            Unavailable: There are no keys yet, for the issuer does not answer.
        """
        keys, now = self._keys, self._clock()
        if keys is None or _pick(keys, kid) is None or now - self._fetched >= LIFETIME:
            keys = self._refreshed()
        return _pick(keys, kid)

    def _refreshed(self) -> Mapping[str, Jwk]:
        with self._lock:
            interval = FIRST_INTERVAL if self._keys is None else INTERVAL
            now = self._clock()
            if now - self._tried >= interval:  # whoever waited for the lock finds it done
                self._tried = now
                try:
                    self._keys = _read(self._source())
                    self._fetched = now
                except (httpx.HTTPError, OSError, ValueError) as error:
                    _not_had(self._issuer, error)
            return _there(self._keys, self._issuer)


def _not_had(issuer: str, error: Exception) -> None:
    _log.warning("keys not fetched", issuer=issuer, error=f"{type(error).__name__}: {error}")


def _there(keys: Mapping[str, Jwk] | None, issuer: str) -> Mapping[str, Jwk]:
    if keys is None:
        msg = f"the keys of {issuer} can't be had"
        raise Unavailable(msg, "try again; the service's log says why")
    return keys


def _pick(keys: Mapping[str, Jwk], kid: str | None) -> Jwk | None:
    if kid is not None:
        return keys.get(kid)
    return next(iter(keys.values())) if len(keys) == 1 else None


def _read(content: bytes) -> Mapping[str, Jwk]:
    """Keys by name; those that are for encrypting, or private, or no objects at all, are left out.

    Raises:
        ValueError: It is no key set, or holds no key.
    """
    try:
        found = json.loads(content)["keys"]
    except (KeyError, TypeError, RecursionError) as error:
        msg = "that is no key set"
        raise ValueError(msg) from error
    keys = {
        str(key.get("kid", f"nameless {number}")): key
        for number, key in enumerate(found if isinstance(found, list) else ())
        if isinstance(key, dict) and key.get("use", "sig") == "sig" and "d" not in key
    }
    if not keys:
        msg = "the key set holds no key that verifies"
        raise ValueError(msg)
    return keys
