"""The instants at which a feature set has values, and the days whose partitions hold them.

Whole days: the local midnights of the days whose ordinal (1 is 0001-01-01) the number of days divides. Parts of a
day: absolute steps from each local midnight until the next one, so that a day with 23 or 25 hours has as many hourly
instants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from modelyard.config.kinds.base import format_duration
from modelyard.errors import InvalidData
from modelyard.local_days import day_start, local_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Grid:
    """The instants of one feature set.

    Raises:
        InvalidData: `every` is neither whole days nor a part of a day that divides it.
    """

    every: timedelta
    timezone: str

    def __post_init__(self) -> None:
        if self.every % DAY and (self.every > DAY or DAY % self.every):
            reason = f"values cannot exist every {format_duration(self.every)}"
            raise InvalidData(reason, "whole days, or a part of a day that divides it: 1d, 7d, 12h, 1h, 15m")

    @cached_property
    def _step(self) -> int:
        """Days from one partition to the next."""
        return max(self.every // DAY, 1)

    def instants(self, day: date) -> tuple[datetime, ...]:
        """The instants of a day's partition, in order; none where the set has no partition on that day."""
        start = day_start(day, self.timezone)
        # A day that a zone skipped altogether begins when the next one does, and has nothing of its own.
        if day.toordinal() % self._step or local_day(start, self.timezone) != day:
            return ()
        if self.every >= DAY:
            return (start,)
        steps = -((day_start(day + DAY, self.timezone) - start) // -self.every)
        return tuple(start + step * self.every for step in range(steps))

    def days(self, first: date, last: date) -> tuple[date, ...]:
        """The days from `first` to `last`, both included, that have partitions."""
        every_day = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return tuple(day for day in every_day if self.instants(day))

    def at_or_before(self, moment: datetime) -> datetime:
        """The latest instant at or before a moment."""
        day = local_day(moment, self.timezone)
        day -= timedelta(days=day.toordinal() % self._step)
        while not self.instants(day):
            day -= timedelta(days=self._step)
        return max(instant for instant in self.instants(day) if instant <= moment)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The instants from the one at or before `start` until `end`, `end` included."""
        first = self.at_or_before(start)
        for day in self.days(self.day(first), local_day(end, self.timezone)):
            yield from (instant for instant in self.instants(day) if first <= instant <= end)

    def day(self, instant: datetime) -> date:
        """The day whose partition holds an instant."""
        return local_day(instant, self.timezone)

    def days_of(self, instants: Iterable[datetime]) -> tuple[date, ...]:
        """The days whose partitions hold some instants, in order."""
        return tuple(sorted({self.day(instant) for instant in instants}))
