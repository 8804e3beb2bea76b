"""Calls that are made again while they fail in passing: one layer of retries, whoever is called.

Pauses grow and are random, so that those who failed together do not come back together; whoever is called may ask for
a longer one. A call within another that is retried is a part of its try: it fails with it, and begins again with it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds until a call that keeps failing in passing is given up: what throttles or restarts is back in less."""

_random_pause = wait_random_exponential(multiplier=0.05, max=2.0)
_trying: ContextVar[bool] = ContextVar("trying", default=False)


class Passing(Unavailable):
    """A failure that may be gone at the next try; the call may have done its work all the same."""

    retry_after: float = 0
    """Seconds that whoever was called asks us to wait."""


def retried(call: Callable[[], T], *, deadline: float = DEADLINE) -> T:
    """The outcome of a call that may be made again, and is while it fails in passing.

    Args:
        call: The call.
        deadline: Seconds until the last try has to begin.

    Raises:
        Passing: It failed in passing until then.
    """
    if _trying.get():
        return call()
    whole = _trying.set(True)
    try:
        return Retrying(
            retry=retry_if_exception_type(Passing), wait=_pause, stop=stop_before_delay(deadline), reraise=True
        )(call)
    finally:
        _trying.reset(whole)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Passing) else 0
    return asked + _random_pause(state)
