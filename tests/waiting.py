"""Threads, processes and pods beside a test: a wait for a sign of what they do, never for a while."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@contextmanager
def meanwhile(*works: Callable[[], object], every: float = 0) -> Iterator[None]:
    """Do things again and again, each in a thread of its own, until the context ends.

    Args:
        works: What is done.
        every: Seconds before each time.
    """
    over = threading.Event()

    def repeat(work: Callable[[], object]) -> None:
        while not over.wait(every):
            work()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def gone(pid: int) -> bool:
    """Whether a process is no more; whoever inherited it may not have taken notice yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
