"""Page tokens, as callers are handed them: sealed.

A store's own token is the place of a page's last record, and names it, be it one of those that the page leaves out, as
the caller may not know of them.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, TypeVar

from cryptography.fernet import Fernet, InvalidToken

from modelyard.errors import InvalidData
from modelyard.registry.records import Page

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PageTokens:
    """Seals and opens page tokens.

    Args:
        key: What processes of one service share, so that each opens the others' tokens; one's own unless said.
    """

    def __init__(self, key: bytes = b"") -> None:
        secret = key or secrets.token_bytes(32)
        self._seal = Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"page tokens\n" + secret).digest()))

    def page(
        self, list_page: Callable[[str | None], Page[T]], token: str | None, shown: Callable[[T], bool]
    ) -> Page[T]:
        """What of a page a caller may see.

        Args:
            list_page: The list, given the store's token of a page.
            token: The page's token, as it was handed out.
            shown: Whether the caller may know of a record.

        Raises:
            InvalidData: The token is none of these.
        """
        found = list_page(None if token is None else self._opened(token))
        following = None if found.next is None else self._sealed(found.next)
        return Page(items=tuple(filter(shown, found.items)), next=following)

    def _sealed(self, token: str) -> str:
        return self._seal.encrypt(token.encode()).decode()

    def _opened(self, token: str) -> str:
        try:
            return self._seal.decrypt(token).decode()
        except (InvalidToken, ValueError) as error:
            msg = "the page token is not one of this list"
            raise InvalidData(msg, "take `next` of the page before, or leave it out for the first page") from error
