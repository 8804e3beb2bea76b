"""The threads that predict, and a bound on how many requests may wait for them.

A request that would wait longer than is of use is refused at once, so that under five times the load the machine's
whole strength still goes to requests that are answered.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Workers:
    """Threads with a bounded queue, used from one event loop.

    Args:
        threads: How many requests are worked on at the same time.
        queue: How many more may wait.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self.busy = 0
        """Requests that are worked on or wait."""
        self.refused = 0
        """Requests that were refused, since the start."""
        self._room = threads + queue
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="score")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of a piece of work, done in a thread.

        Raises:
            Unavailable: Too many wait already.
        """
        self.check()
        self.busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.busy -= 1

    def check(self) -> None:
        """Refuse now what `run` would refuse, before a body is read for nothing.

        Raises:
            Unavailable: Too many wait already.
        """
        if self.busy >= self._room:
            self.refused += 1
            reason = f"{self.busy} requests are being worked on or wait"
            raise Unavailable(reason, "send the request again in a moment, or start more scoring services")

    def close(self) -> None:
        """Wait for the work that was begun, and end the threads."""
        self._pool.shutdown()
