"""Pages of records: opaque tokens that say where a list goes on.

A token holds the last key of a page. Readers hand it back and make nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, TypeVar

from modelyard.errors import InvalidData
from modelyard.registry.records import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
Key = int | str | tuple[int, int]
K = TypeVar("K", bound=Key)

MOST = 1000  # records of a page; a page of full-size records still fits into memory many times over
_LONGEST_TOKEN = 1024
_GREATEST = 2**63 - 1  # what a store's integers hold


def check_limit(limit: int) -> int:
    """A page's size.

    Raises:
        InvalidData: It is not between 1 and `MOST`.
    """
    if not 1 <= limit <= MOST:
        msg = f"a page holds 1 to {MOST} records, not {limit}"
        raise InvalidData(msg)
    return limit


def make_page(records: Sequence[T], limit: int, keys: Sequence[Key]) -> Page[T]:
    """A page of what a query for one record more than `limit` found.

    Args:
        records: What was found, in order.
        limit: The page's size.
        keys: Each record's place in the list.
    """
    more = len(records) > limit
    return Page.model_construct(items=tuple(records[:limit]), next=_encode(keys[limit - 1]) if more else None)


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_token(token: str | None, start: K) -> K:
    """The key after which a page begins.

    Args:
        token: What the page before said; None for the first.
        start: The key of the first page; a token's key has its type.

    Raises:
        InvalidData: The token is not one of this kind of list.
    """
    if token is None:
        return start
    key = _decode(token)
    if type(key) is not type(start) or not all(abs(part) <= _GREATEST for part in _numbers(key)):
        msg = "the page token is not one of this list"
        raise InvalidData(msg, "take `next` of the page before, or leave it out for the first page")
    return key


def _numbers(key: object) -> tuple[int, ...]:
    if isinstance(key, tuple):
        return key
    return (key,) if isinstance(key, int) else ()


def _decode(token: str) -> object:
    if len(token) > _LONGEST_TOKEN:
        return None
    try:
        key = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    match key:
        case [int(first), int(second)]:
            return (first, second)
        case int():
            return key
        case str() if key.isascii():  # as all names are
            return key
        case _:
            return None


def every(list_page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """The records of all pages, page by page.

    Args:
        list_page: A list, given the token of a page.
    """
    page = list_page(None)
    yield from page.items
    while page.next is not None:
        page = list_page(page.next)
        yield from page.items
