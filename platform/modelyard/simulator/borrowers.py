"""Who the borrowers are: what everyone can see of them, and the traits that nobody sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.simulator.calendar import DAY, Calendar, Flags, Floats, Ints

if TYPE_CHECKING:
    from modelyard.simulator.markets import Market

GENDERS = {"female": 0.48, "male": 0.52}
AGE_BANDS = {"18-24": 0.24, "25-34": 0.37, "35-44": 0.22, "45-54": 0.11, "55+": 0.06}
_AGE_INCOME = np.array([-0.25, 0.05, 0.12, 0.05, -0.15])
"""What an age band adds to the logarithm of the income."""

_JOINED_BEFORE = 0.7
"""The share of borrowers who joined before the first day."""
_LONGEST_BEFORE = 540 * DAY
_LATEST_SHARE = 0.8
"""The share of the days in which others join."""
_SALARIED = 0.35
"""The share of borrowers with a salary."""
_MEAN_STAY = 1200.0
"""Days after which a borrower leaves, on average."""


@dataclass(frozen=True)
class Borrowers:
    """Borrowers of one market as arrays of equal length; codes count through the names in their order.

    Args:
        ids: Their names.
        gender, age_band, region: Codes.
        registered_at: Seconds since 1970.
        first_day, last_day: The days (counted as the calendar does) from and until which they use their wallets.
        income: What comes in over a month, in the market's currency.
        volatility: The spread of single amounts, on a logarithmic scale.
        activity: Transactions in a day.
        spending: What goes out, as a share of what comes in.
        salaried: Whether a salary makes up a part of the income.
        payday: Which of the market's pay days is theirs.
        restless: How many times as often as others they change devices.
        tampering: The chance that a device of theirs is rooted.
        demand: The chance that they want a loan on a day on which they may have one.
    """

    ids: list[str]
    gender: Ints
    age_band: Ints
    region: Ints
    registered_at: Ints
    first_day: Ints
    last_day: Ints
    income: Floats
    volatility: Floats
    activity: Floats
    spending: Floats
    salaried: Flags
    payday: Ints
    restless: Floats
    tampering: Floats
    demand: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def present(self, day: int) -> Flags:
        """Who uses their wallet on a day."""
        return (self.first_day <= day) & (day < self.last_day)


def draw_borrowers(rng: np.random.Generator, market: Market, ids: list[str], calendar: Calendar) -> Borrowers:
    """Borrowers with these names, drawn at random."""
    size = len(ids)
    gender, age_band = _draw(rng, GENDERS, size), _draw(rng, AGE_BANDS, size)
    registered_at = _draw_registration(rng, calendar, size)
    # Whoever joins in the middle of a day begins to use the wallet on the next.
    first_day = np.where(registered_at < calendar.instants[0], 0, calendar.day_of(registered_at) + 1)
    log_income = rng.normal(0.0, 0.7, size) + _AGE_INCOME[age_band] - 0.15 * (gender == 0)
    return Borrowers(
        ids=ids,
        gender=gender,
        age_band=age_band,
        region=_draw(rng, market.regions, size),
        registered_at=registered_at,
        first_day=first_day,
        last_day=first_day + rng.exponential(_MEAN_STAY, size).astype(np.int64),
        income=market.unit * 12.0 * np.exp(log_income),
        volatility=rng.uniform(0.4, 1.1, size),
        activity=market.activity * rng.gamma(3.0, 1.0 / 3.0, size) + 0.1,
        spending=np.exp(rng.normal(-0.05, 0.2, size)),
        salaried=rng.random(size) < _SALARIED,
        payday=rng.integers(0, len(market.paydays), size),
        restless=rng.gamma(0.8, 1.0 / 0.8, size),
        tampering=rng.beta(0.3, 2.2, size),
        demand=rng.beta(1.5, 18.0, size),
    )


def _draw(rng: np.random.Generator, shares: dict[str, float], size: int) -> Ints:
    """Codes of names, drawn with their shares."""
    bounds = np.cumsum(list(shares.values()))
    return np.searchsorted(bounds / bounds[-1], rng.random(size), side="right")


def _draw_registration(rng: np.random.Generator, calendar: Calendar, size: int) -> Ints:
    start, span = int(calendar.instants[0]), calendar.end - int(calendar.instants[0])
    before = start - 30 * DAY - rng.random(size) * (_LONGEST_BEFORE - 30 * DAY)
    during = start + rng.random(size) * span * _LATEST_SHARE
    return np.where(rng.random(size) < _JOINED_BEFORE, before, during).astype(np.int64)
