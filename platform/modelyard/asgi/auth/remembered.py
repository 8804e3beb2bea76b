"""Answers about tokens that stay good for a while: bounded, and without the tokens."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST = 4096
"""Answers that are kept; the oldest go first. An answer takes some hundred bytes."""


class Remembered(Generic[T]):
    """What is known of tokens, by their digests.

    Args:
        clock: Seconds that only go up: a wall clock that is set back must not make an answer stay.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[T, float]] = OrderedDict()

    def get(self, token: str) -> T | None:
        """What is known of a token; None where nothing is any more."""
        known = self._known.get(_digest(token))
        return known[0] if known is not None and self._clock() < known[1] else None

    def put(self, token: str, answer: T, seconds: float) -> None:
        """Remember what a token is for some seconds."""
        key = _digest(token)
        with self._lock:
            self._known[key] = (answer, self._clock() + seconds)
            self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
