"""What the lender can know of its borrowers at a midnight: rows that happened before it and were known by it.

Kept as daily totals, so that memory depends on the number of borrowers alone, however long the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard.simulator.arrivals import Arrivals
from modelyard.simulator.calendar import DAY, Calendar, Flags, Floats, Ints

WINDOW = 30
"""Days that the windows over transactions and devices reach back."""
WEEK = 7
OUTCOME_WINDOW = 180
"""Days that the windows over outcomes of loans reach back."""


class DailyTotals:
    """Totals of each borrower on each of the latest days.

    Args:
        borrowers: How many borrowers.
        days: How many days are kept.
        kind: The type of the totals: double precision for amounts; single is exact for numbers of rows.
    """

    def __init__(self, borrowers: int, days: int, kind: type[np.floating[Any]] = np.float32) -> None:
        self._totals = np.zeros((days, borrowers), dtype=kind)

    def begin(self, day: int) -> None:
        """Make room for a day; the oldest is forgotten."""
        self._totals[day % len(self._totals)] = 0.0

    def add(self, day: Ints, who: Ints, value: Ints | Floats) -> None:
        """Add values to borrowers' totals of days."""
        # Values of the totals' own type are added ten times as fast as others.
        np.add.at(self._totals, (day % len(self._totals), who), value.astype(self._totals.dtype))

    def before(self, day: int, who: Ints, days: int) -> Floats:
        """The borrowers' totals over so many days before this one begins."""
        rows = np.arange(day - days, day) % len(self._totals)
        total: Floats = self._totals[rows[:, None], who].sum(axis=0, dtype=np.float64)
        return total


@dataclass(frozen=True)
class Observed:
    """What history says of some borrowers at an instant T; a window of n days holds T - n days <= timestamp < T.

    Args:
        in_30d, out_30d: Sums of the amounts of transactions in and out, over 30 days.
        in_avg_30d, in_stddev_30d: Mean and sample deviation of the amounts in; 0 where there are too few.
        txn_count_30d, txn_count_7d: Numbers of transactions.
        days_since_last: Days since the latest transaction; 30 where that is longer ago, or there is none.
        is_rooted: Whether the device seen last is rooted.
        devices_30d: Number of devices first seen in the 30 days.
        defaults_180d, repaid_180d: Numbers of outcomes of either kind in the 180 days.
    """

    in_30d: Floats
    out_30d: Floats
    in_avg_30d: Floats
    in_stddev_30d: Floats
    txn_count_30d: Floats
    txn_count_7d: Floats
    days_since_last: Floats
    is_rooted: Flags
    devices_30d: Floats
    defaults_180d: Floats
    repaid_180d: Floats


class History:
    """What is known of the borrowers, day after day.

    Each day: `learn` at its midnight, `observe` what is known, `begin` the day, then put in what happens.
    """

    def __init__(self, calendar: Calendar, borrowers: int) -> None:
        self._calendar = calendar
        self._transactions, self._devices, self._outcomes = (Arrivals(calendar) for _ in range(3))
        self._amount_in, self._square_in, self._amount_out = (
            DailyTotals(borrowers, WINDOW, np.float64) for _ in range(3)
        )
        self._count_in, self._count, self._sightings = (DailyTotals(borrowers, WINDOW) for _ in range(3))
        self._defaults, self._repaid = (DailyTotals(borrowers, OUTCOME_WINDOW) for _ in range(2))
        self._last_event = np.full(borrowers, np.iinfo(np.int64).min // 2)
        self._device_seen = np.full(borrowers, np.iinfo(np.int64).min // 2)
        self._rooted = np.zeros(borrowers, dtype=np.int64)

    def put_transactions(self, who: Ints, event: Ints, available: Ints, hundredths: Ints, incoming: Flags) -> None:
        """Transactions that happen; amounts are in hundredths, whose sums are exact in any order."""
        self._transactions.put(who, event, available, np.where(incoming, hundredths, -hundredths))

    def put_devices(self, who: Ints, seen: Ints, available: Ints, rooted: Ints) -> None:
        """Devices that are seen for the first time."""
        self._devices.put(who, seen, available, rooted)

    def put_outcomes(self, who: Ints, outcome: Ints, available: Ints, defaulted: Ints) -> None:
        """Outcomes of loans, which lie ahead when the loan is made."""
        self._outcomes.put(who, outcome, available, defaulted)

    def begin(self, day: int) -> None:
        """Begin a day: the days that no window reaches any more are forgotten."""
        for totals in (self._amount_in, self._square_in, self._amount_out, self._count_in, self._count):
            totals.begin(day)
        for totals in (self._sightings, self._defaults, self._repaid):
            totals.begin(day)

    def learn(self, day: int) -> None:
        """Take in what became known between the last midnight and the one at which this day begins."""
        for who, event, signed in self._transactions.take(day):
            self._learn_transactions(who, event, signed)
        for who, seen, rooted in self._devices.take(day):
            self._learn_devices(who, seen, rooted)
        for who, outcome, defaulted in self._outcomes.take(day):
            days = self._calendar.day_of(outcome)
            self._defaults.add(days, who, defaulted)
            self._repaid.add(days, who, 1 - defaulted)

    def observe(self, day: int, who: Ints) -> Observed:
        """What is known of these borrowers at the midnight at which the day begins."""
        instant = int(self._calendar.instants[day])
        incoming = self._amount_in.before(day, who, WINDOW)
        number = self._count_in.before(day, who, WINDOW)
        return Observed(
            in_30d=incoming / 100,
            out_30d=self._amount_out.before(day, who, WINDOW) / 100,
            in_avg_30d=incoming / 100 / np.maximum(number, 1),
            in_stddev_30d=_sample_deviation(number, incoming, self._square_in.before(day, who, WINDOW)) / 100,
            txn_count_30d=self._count.before(day, who, WINDOW),
            txn_count_7d=self._count.before(day, who, WEEK),
            days_since_last=np.minimum((instant - self._last_event[who]) / DAY, WINDOW),
            is_rooted=self._rooted[who] == 1,
            devices_30d=self._sightings.before(day, who, WINDOW),
            defaults_180d=self._defaults.before(day, who, OUTCOME_WINDOW),
            repaid_180d=self._repaid.before(day, who, OUTCOME_WINDOW),
        )

    def _learn_transactions(self, who: Ints, event: Ints, signed: Ints) -> None:
        days = self._calendar.day_of(event)
        incoming = signed > 0
        amount_in = np.where(incoming, signed, 0).astype(np.float64)
        self._amount_in.add(days, who, amount_in)
        self._square_in.add(days, who, amount_in**2)
        self._count_in.add(days, who, incoming.astype(np.int64))
        self._amount_out.add(days, who, amount_in - signed)
        self._count.add(days, who, np.ones_like(who))
        np.maximum.at(self._last_event, who, event)

    def _learn_devices(self, who: Ints, seen: Ints, rooted: Ints) -> None:
        recent = seen >= self._calendar.instants[0]
        self._sightings.add(self._calendar.day_of(seen[recent]), who[recent], np.ones_like(who[recent]))
        latest = np.lexsort((seen, who))
        who, seen, rooted = who[latest], seen[latest], rooted[latest]
        # Of several rows of one borrower, the one seen last stays; a late row does not replace a younger device.
        newer = seen >= self._device_seen[who]
        self._device_seen[who[newer]], self._rooted[who[newer]] = seen[newer], rooted[newer]


def _sample_deviation(number: Floats, total: Floats, squares: Floats) -> Floats:
    spread = np.maximum(squares - total**2 / np.maximum(number, 1), 0.0)
    deviation: Floats = np.where(number > 1, np.sqrt(spread / np.maximum(number - 1, 1)), 0.0)
    return deviation
