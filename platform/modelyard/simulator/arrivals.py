"""When rows become known: most within seconds, a few late; and what waits until it is known."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from modelyard.simulator.calendar import DAY, Calendar, Flags, Ints

MOST_DAYS_LATE = 7
"""No row becomes known later than that after it happened."""

_LATE = 0.04
"""The share of rows that are late."""


def draw_available(rng: np.random.Generator, happened: Ints) -> Ints:
    """When rows that happened then become known.

    Most are known at once or within seconds. One in twenty-five comes late: half of these by more than seven hours,
    some by days.
    """
    delay = rng.exponential(3.0, len(happened))
    late = np.flatnonzero(rng.random(len(happened)) < _LATE)
    delay[late] = np.minimum(7 * 3600 * np.exp(rng.normal(0.0, 1.2, len(late))), MOST_DAYS_LATE * DAY)
    return happened + delay.astype(np.int64)


class Arrivals:
    """Rows on their way: put in when they happen, taken out at the first midnight at which they are history."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._waiting: dict[int, list[tuple[Ints, Ints, Ints]]] = defaultdict(list)

    def put(self, who: Ints, happened: Ints, available: Ints, value: Ints) -> None:
        """Let rows wait: whose they are, when they happened, when they become known, and what they say."""
        seen_from = self._calendar.seen_from(happened, available)
        for day in np.unique(seen_from).tolist():
            chosen: Flags = seen_from == day
            self._waiting[day].append((who[chosen], happened[chosen], value[chosen]))

    def take(self, day: int) -> list[tuple[Ints, Ints, Ints]]:
        """Whose, when and what: the rows that are history as this day begins, and were not a day earlier."""
        return self._waiting.pop(day, [])
