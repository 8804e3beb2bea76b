"""Tokens that somebody was given once: the service knows their digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.asgi.auth.file import StaticToken
    from modelyard.asgi.auth.principal import Principal

_BYTES = 32  # random ones of a token: nobody guesses them, so their plain SHA-256 may be kept


def new_token() -> tuple[str, str]:
    """A random token, and its digest for the file."""
    token = secrets.token_urlsafe(_BYTES)
    return token, hashlib.sha256(token.encode()).hexdigest()


class StaticTokens:
    """The tokens of the file.

    Args:
        entries: Who has one.
    """

    def __init__(self, entries: Sequence[StaticToken]) -> None:
        self._known = [(entry.sha256, entry.principal(entry.person or entry.name)) for entry in entries]

    def find(self, token: str) -> Principal | None:
        """Who has a token; None where nobody does. It takes as long whoever it is."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = None
        for known, principal in self._known:
            if hmac.compare_digest(known, digest):
                found = principal
        return found
