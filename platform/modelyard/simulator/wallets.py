"""What borrowers do with their wallets on a day, and how their fortunes change."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from modelyard.simulator.arrivals import draw_available

if TYPE_CHECKING:
    from modelyard.simulator.borrowers import Borrowers
    from modelyard.simulator.calendar import Calendar, Flags, Floats, Ints
    from modelyard.simulator.markets import Market

CHANNELS = ("salary", "transfer", "agent", "merchant", "bill", "airtime")
DIRECTIONS = ("in", "out")

_CHANNEL_PERCENT = [(0, 55, 35, 10, 0, 0), (0, 34, 22, 20, 10, 14)]
"""By direction, how often each channel is used; salaries come on their own."""
_CHANNELS_DRAWN = np.stack([np.repeat(np.arange(len(CHANNELS)), percent) for percent in _CHANNEL_PERCENT])
_WEEKDAYS = np.array([1.0, 0.96, 0.97, 1.02, 1.18, 1.14, 0.73])
"""Activity from Monday to Sunday."""

_HOURS = np.array([1, 1, 1, 1, 1, 3, 8, 12, 14, 15, 15, 15, 16, 15, 14, 14, 15, 17, 19, 18, 14, 9, 5, 2], dtype=float)
"""Activity through the hours of a day."""
_HOURS_PASSED = np.concatenate([[0.0], np.cumsum(_HOURS) / _HOURS.sum()])

_IN_SHARE = 0.4
"""The share of transactions that bring money in."""
_SALARY_SHARE = 0.6
"""The share of the income that a salary makes up."""
_MOOD_KEPT = 0.96
"""How much of a mood is left on the next day."""
_HIT, _RECOVER = 1 / 150, 1 / 25
"""The daily chances to fall into hardship and to come out of it."""
_TAIL = 3.0
"""Large amounts are as frequent as their inverse third power."""


def draw_seconds(rng: np.random.Generator, size: int) -> Floats:
    """Times of day at which people are awake, in seconds since midnight on their clocks."""
    seconds: Floats = np.interp(rng.random(size), _HOURS_PASSED, np.arange(25) * 3600.0)
    return seconds


@dataclass(frozen=True)
class Transactions:
    """Transactions as arrays of equal length: whose, when, when known, how much, and codes of direction and channel."""

    who: Ints
    event: Ints
    available: Ints
    hundredths: Ints
    direction: Ints
    channel: Ints


class Wallets:
    """The wallets of some borrowers, and what nobody sees of them: moods that drift, hardship that comes and goes."""

    def __init__(self, borrowers: Borrowers, market: Market, calendar: Calendar) -> None:
        self._borrowers, self._market, self._calendar = borrowers, market, calendar
        self._zone = market.zone
        self._mood = np.zeros(len(borrowers))
        self._hardship = np.zeros(len(borrowers), dtype=bool)
        self._typical = _typical_amounts(borrowers)

    def pass_day(self, rng: np.random.Generator, day: int) -> Transactions:
        """Let a day pass, and return what happened on it."""
        self._change_fortunes(rng)
        using = self._borrowers.present(day)
        everyone = np.arange(len(using))
        rate_in, rate_out = self._rates(day)
        earning = np.repeat(everyone, rng.poisson(rate_in * using))
        paid = np.flatnonzero(using & self._borrowers.salaried & ~self._hardship & self._paid_on(day))
        spending = np.repeat(everyone, rng.poisson(rate_out * using))
        return self._draw_transactions(rng, day, earning, paid, spending)

    def _draw_transactions(
        self, rng: np.random.Generator, day: int, earning: Ints, paid: Ints, spending: Ints
    ) -> Transactions:
        who = np.concatenate([earning, paid, spending])
        direction = np.repeat([0, 0, 1], [len(earning), len(paid), len(spending)])
        amount = self._draw_amounts(rng, who, direction)
        channel = _CHANNELS_DRAWN[direction, rng.integers(0, 100, len(who))]
        salaries = slice(len(earning), len(earning) + len(paid))
        amount[salaries] = self._borrowers.income[paid] * _SALARY_SHARE * np.exp(rng.normal(0.0, 0.05, len(paid)))
        channel[salaries] = CHANNELS.index("salary")
        event = self._calendar.moment(day, draw_seconds(rng, len(who)), self._zone)
        hundredths = np.maximum(np.rint(amount * 100), 1).astype(np.int64)
        return Transactions(who, event, draw_available(rng, event), hundredths, direction, channel)

    def _draw_amounts(self, rng: np.random.Generator, who: Ints, direction: Ints) -> Floats:
        """Log-normal amounts with a tail of a power law: a double Pareto-lognormal, whose lower tail is left out.

        Reed and Jorgensen, "The double Pareto-lognormal distribution", Communications in Statistics 33 (2004).
        """
        body = self._borrowers.volatility[who] * rng.standard_normal(len(who))
        tail = rng.standard_exponential(len(who)) / _TAIL
        amounts: Floats = self._typical[direction, who] * np.exp(body + tail)
        return amounts

    def _change_fortunes(self, rng: np.random.Generator) -> None:
        size = len(self._mood)
        self._mood = _MOOD_KEPT * self._mood + np.sqrt(1 - _MOOD_KEPT**2) * rng.standard_normal(size)
        chance = rng.random(size)
        self._hardship = np.where(self._hardship, chance >= _RECOVER, chance < _HIT)

    def _rates(self, day: int) -> tuple[Floats, Floats]:
        """How many transactions in and out to expect of each borrower on this day."""
        usual = self._borrowers.activity * _WEEKDAYS[self._calendar.dates[day].weekday()] * np.exp(0.3 * self._mood)
        since = np.array([_days_since(self._calendar.dates[day], payday) for payday in self._market.paydays])
        flush = 1 + 0.8 * np.exp(-since / 3.0)[self._borrowers.payday] * self._borrowers.salaried
        rate_in: Floats = usual * _IN_SHARE * np.where(self._hardship, 0.35, 1.0)
        rate_out: Floats = usual * (1 - _IN_SHARE) * flush * np.where(self._hardship, 0.8, 1.0)
        return rate_in, rate_out

    def _paid_on(self, day: int) -> Flags:
        since = np.array([_days_since(self._calendar.dates[day], payday) for payday in self._market.paydays])
        paid: Flags = (since == 0)[self._borrowers.payday]
        return paid


def _days_since(day: date, payday: int) -> int:
    """Days since a pay day, which in shorter months is the last day."""
    this_month = min(payday, months.monthrange(day.year, day.month)[1])
    if day.day >= this_month:
        return day.day - this_month
    month_before = day.replace(day=1) - timedelta(days=1)
    return day.day + month_before.day - min(payday, month_before.day)


def _typical_amounts(borrowers: Borrowers) -> Floats:
    """The middle amount in and out (first axis) of each borrower, such that a month makes up the income."""
    mean = np.exp(borrowers.volatility**2 / 2) * _TAIL / (_TAIL - 1)
    earned = borrowers.income * np.where(borrowers.salaried, 1 - _SALARY_SHARE, 1.0)
    per_month = 30 * borrowers.activity * mean
    return np.stack(
        [earned / (per_month * _IN_SHARE), borrowers.income * borrowers.spending / (per_month * (1 - _IN_SHARE))]
    )
