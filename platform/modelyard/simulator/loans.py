"""Who borrows on a day, how much, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.simulator import risk
from modelyard.simulator.arrivals import draw_available
from modelyard.simulator.calendar import DAY, Calendar, Flags, Floats, Ints
from modelyard.simulator.wallets import draw_seconds

if TYPE_CHECKING:
    from modelyard.simulator.borrowers import Borrowers
    from modelyard.simulator.history import History
    from modelyard.simulator.markets import Market

TERM = 30
"""Days until a loan is due."""

_HISTORY_ASKED = 14
"""Days of transactions that the lender wants to see before it lends."""
_DECLINED = 0.4
"""How often somebody who defaulted lately is declined."""


@dataclass(frozen=True)
class Loans:
    """Loans as arrays of equal length; outcomes are complete here, those that lie beyond the end too.

    Args:
        who: Whose.
        ordinal: Which loan of the borrower it is, from 1 on.
        disbursed, due: Seconds since 1970.
        principal: In the market's currency.
        probability: Of a default.
        defaulted: The outcome, 0 or 1, which is certain when the loan is due.
        available: When the outcome becomes known.
    """

    who: Ints
    ordinal: Ints
    disbursed: Ints
    due: Ints
    principal: Floats
    probability: Floats
    defaulted: Ints
    available: Ints


class Lending:
    """The loans of some borrowers, who have one at a time."""

    def __init__(self, borrowers: Borrowers, market: Market, calendar: Calendar) -> None:
        self._borrowers, self._market, self._calendar = borrowers, market, calendar
        self._free_from = np.maximum(borrowers.first_day, 0) + _HISTORY_ASKED
        self._made = np.zeros(len(borrowers), dtype=np.int64)

    def lend(self, rng: np.random.Generator, day: int, history: History) -> Loans:
        """Make the day's loans, from what history says at the day's midnight."""
        who = np.flatnonzero(rng.random(len(self._made)) < self._borrowers.demand * self._may_borrow(day))
        seen = history.observe(day, who)
        granted = (seen.defaults_180d == 0) | (rng.random(len(who)) >= _DECLINED)
        lent = risk.principal(seen, self._market)
        # Rounded, for the last digits of a logarithm differ between processors.
        probability = np.round(risk.default_probability(seen, lent, self._market), 9)
        return self._make(rng, day, who[granted], lent[granted], probability[granted])

    def _may_borrow(self, day: int) -> Flags:
        return (self._free_from <= day) & self._borrowers.present(day)

    def _make(self, rng: np.random.Generator, day: int, who: Ints, lent: Floats, probability: Floats) -> Loans:
        disbursed = self._calendar.moment(day, draw_seconds(rng, len(who)), self._market.zone)
        due = disbursed + TERM * DAY
        defaulted = (rng.random(len(who)) < probability).astype(np.int64)
        self._made[who] += 1
        # The day on which the loan is due has to be over before the next one.
        self._free_from[who] = day + TERM + 2
        return Loans(who, self._made[who], disbursed, due, lent, probability, defaulted, draw_available(rng, due))
