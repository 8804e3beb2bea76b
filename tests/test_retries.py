"""The one layer of retries."""

import pytest

from modelyard.errors import Conflict
from modelyard.retries import Passing, retried


class Failing:
    """Fails some times, then answers.

    Args:
        failures: What it raises, one after the other.
    """

    def __init__(self, *failures: Exception) -> None:
        self.calls = 0
        self._failures = list(failures)

    def __call__(self) -> int:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return self.calls


def asking(seconds: float) -> Passing:
    error = Passing("busy")
    error.retry_after = seconds
    return error


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, instead of them."""
    made: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", made.append)
    return made


def test_what_fails_in_passing_is_called_again(pauses: list[float]) -> None:
    call = Failing(Passing("busy"), Passing("busy"))
    assert retried(call) == 3
    assert len(pauses) == 2


def test_another_error_is_raised_at_once() -> None:
    call = Failing(Conflict("no"))
    with pytest.raises(Conflict):
        retried(call)
    assert call.calls == 1


def test_a_pause_is_as_long_as_was_asked_for(pauses: list[float]) -> None:
    retried(Failing(asking(3)))
    assert 3 <= pauses[0] < 5


def test_no_try_begins_after_the_deadline(pauses: list[float]) -> None:
    call = Failing(asking(3), asking(3))
    with pytest.raises(Passing):
        retried(call, deadline=2)
    assert call.calls == 1
    assert not pauses


def test_a_call_within_another_is_a_part_of_its_try() -> None:
    inner = Failing(Passing("busy"), Passing("busy"))
    outer: list[int] = []

    def call() -> int:
        outer.append(1)
        return retried(inner)

    assert retried(call) == 3
    assert len(outer) == 3, "the inner call was retried on its own"
    assert retried(Failing(Passing("busy"))) == 2, "a call after it is not retried any more"
