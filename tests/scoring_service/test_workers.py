"""A bounded number of requests is worked on or waits; the next one is refused at once."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial

import pytest

from modelyard.errors import Unavailable
from scoring_service.workers import Workers


def test_more_than_may_wait_are_refused_at_once_and_taken_again_later() -> None:
    workers = Workers(threads=1, queue=2)
    gate = threading.Event()

    def wait_for(number: int) -> int:
        gate.wait()
        return number

    async def overload() -> list[int | BaseException]:
        asked = [asyncio.create_task(workers.run(partial(wait_for, number))) for number in range(3)]
        await asyncio.sleep(0)
        # The gate is shut: were one of them to wait, this would not end.
        refused = await asyncio.gather(*(workers.run(lambda: 99) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(error, Unavailable) for error in refused)
        with pytest.raises(Unavailable, match="3 requests are being worked on or wait"):
            workers.check()
        gate.set()
        done = await asyncio.gather(*asked)
        return [*done, await workers.run(lambda: 3)]

    assert asyncio.run(overload()) == [0, 1, 2, 3]
    assert (workers.busy, workers.refused) == (0, 51)
    workers.close()


def test_work_that_fails_makes_room_too() -> None:
    workers = Workers(threads=1, queue=0)

    async def fail_twice() -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await workers.run(lambda: 1 / 0)

    asyncio.run(fail_twice())
    assert workers.busy == 0
    workers.close()


def test_what_was_begun_is_finished_before_the_end() -> None:
    workers, begun = Workers(threads=1, queue=1), threading.Event()

    def work() -> str:
        begun.set()
        time.sleep(0.05)
        return "done"

    async def begin_and_close() -> str:
        task = asyncio.create_task(workers.run(work))
        assert await asyncio.to_thread(begun.wait, 30)
        await asyncio.to_thread(workers.close)
        return await task

    assert asyncio.run(begin_and_close()) == "done"
