"""Waits for what a thread, a process or a pod does: for a sign of it, never for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable


def until(found: Callable[[], Any], *, seconds: float = 60, every: float = 0.01, what: str = "what is awaited") -> Any:
    """What is found, once something is.

    Args:
        found: Looks for it.
        seconds: After which it is given up: many, for a busy machine.
        every: Seconds between two looks.
        what: What is looked for, in words.
    """
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(every)
    return result


def gone(pid: int) -> bool:
    """Whether a process is no more; whoever inherited it may not have taken notice yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
