"""Days as the feature instants see them: from one midnight of a timezone to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY = 86_400
"""Seconds."""


@dataclass(frozen=True)
class Calendar:
    """The simulated days; day 0 is the first, and `instants[k]` the midnight at which day k begins.

    Args:
        timezone: Whose midnights they are.
        dates: Each day's date.
        instants: Midnights in seconds since 1970, from that of day 0 on, beyond the last day by as much as is ever
            needed to say when a row arrives.
        days: How many days are simulated.
    """

    timezone: ZoneInfo
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
        midnight = datetime.combine(self.dates[day], time(), self.timezone)
        ahead = (midnight.utcoffset() or timedelta()) - (midnight.astimezone(zone).utcoffset() or timedelta())
        within = (local_second + ahead.total_seconds()) % DAY
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
    zone = ZoneInfo(timezone)
    first = end - timedelta(days=days)
    dates = tuple(first + timedelta(days=day) for day in range(days + beyond + 1))
    midnights = [int(datetime.combine(day, time(), zone).timestamp()) for day in dates]
    return Calendar(zone, dates, np.array(midnights, dtype=np.int64), days)
