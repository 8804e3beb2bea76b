"""Days as the feature instants see them: from one midnight of a timezone to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelyard.local_days import day_start

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY = 86_400
"""Seconds."""


@dataclass(frozen=True)
class Calendar:
    """The simulated days; day 0 is the first, and `instants[k]` the midnight at which day k begins.

    Args:
        dates: Each day's date.
        instants: Midnights in seconds since 1970, from that of day 0 on, beyond the last day by as much as is ever
            needed to say when a row arrives.
        days: How many days are simulated.
    """

    dates: tuple[date, ...]
    instants: Ints
    days: int

    @property
    def end(self) -> int:
        """The midnight before which everything happens."""
        return int(self.instants[self.days])

    def day_of(self, seconds: Ints) -> Ints:
        """The day in which each moment lies."""
        return np.searchsorted(self.instants, seconds, side="right") - 1

    def seen_from(self, happened: Ints, available: Ints) -> Ints:
        """The first day whose midnight is later than what happened, and not earlier than when that became known."""
        return np.searchsorted(self.instants, np.maximum(available, happened + 1), side="left")

    def moment(self, day: int, local_second: Floats, zone: ZoneInfo) -> Ints:
        """The moment within a day at which the clocks of another timezone show a time of day.

        Args:
            day: The day.
            local_second: Seconds since midnight on those clocks.
            zone: The timezone of those clocks.
        """
        shown = datetime.fromtimestamp(int(self.instants[day]), zone)
        within = (local_second - (shown.hour * 3600 + shown.minute * 60 + shown.second)) % DAY
        # A day on which clocks are put forward is shorter.
        length = int(self.instants[day + 1] - self.instants[day])
        moments: Ints = self.instants[day] + np.minimum(within.astype(np.int64), length - 1)
        return moments


def calendar(end: date, days: int, beyond: int, timezone: str) -> Calendar:
    """The calendar of the days before `end`.

    Args:
        end: The day after the last.
        days: How many days.
        beyond: How many more midnights are needed after `end`.
        timezone: Whose midnights.
    """
    first = end - timedelta(days=days)
    dates = tuple(first + timedelta(days=day) for day in range(days + beyond + 1))
    midnights = [int(day_start(day, timezone).timestamp()) for day in dates]
    return Calendar(dates, np.array(midnights, dtype=np.int64), days)
