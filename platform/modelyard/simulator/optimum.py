"""What a model would reach that knew the true probability of every outcome; no model does better, but by luck.

Probabilities are kept as counts in narrow bins, so that memory does not depend on the number of loans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modelyard.simulator.calendar import Floats, Ints

_BINS = 1 << 16
"""Probabilities that share a bin count as equal. At this width that moves the AUC by less than 1e-4."""


@dataclass(frozen=True)
class Optimum:
    """Figures over the loans whose outcome is known at the end; None where there are none, or all ended alike.

    Args:
        loans: How many loans they are.
        default_rate: The share of them that defaulted.
        roc_auc: The AUC of the true probabilities against the outcomes as they were drawn.
        expected_roc_auc: The same over all outcomes that could have been drawn.
        brier: The mean squared difference between the true probabilities and the outcomes.
        expected_brier: The same over all outcomes that could have been drawn.
    """

    loans: int
    default_rate: float | None
    roc_auc: float | None
    expected_roc_auc: float | None
    brier: float | None
    expected_brier: float | None


class Tally:
    """True probabilities and outcomes as they come, of any number of loans."""

    def __init__(self) -> None:
        self._loans = 0
        self._defaulted, self._repaid, self._risk, self._safety = (np.zeros(_BINS) for _ in range(4))
        self._error = self._variance = 0.0

    def add(self, probability: Floats, defaulted: Ints) -> None:
        """Add loans."""
        bins = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
        np.add.at(self._defaulted, bins, defaulted)
        np.add.at(self._repaid, bins, 1 - defaulted)
        np.add.at(self._risk, bins, probability)
        np.add.at(self._safety, bins, 1.0 - probability)
        self._loans += len(probability)
        self._error += float(np.square(probability - defaulted).sum())
        self._variance += float((probability * (1.0 - probability)).sum())

    def merge(self, other: Tally) -> None:
        """Add the loans of another tally."""
        self._loans += other._loans
        self._error += other._error
        self._variance += other._variance
        self._defaulted += other._defaulted
        self._repaid += other._repaid
        self._risk += other._risk
        self._safety += other._safety

    def optimum(self) -> Optimum:
        """The figures over all loans so far."""
        if not self._loans:
            return Optimum(0, None, None, None, None, None)
        return Optimum(
            loans=self._loans,
            default_rate=float(self._defaulted.sum()) / self._loans,
            roc_auc=_area(self._defaulted, self._repaid),
            expected_roc_auc=_area(self._risk, self._safety),
            brier=self._error / self._loans,
            expected_brier=self._variance / self._loans,
        )


def _area(events: Floats, others: Floats) -> float | None:
    """The chance that an event lies in a higher bin than another row; one half where they share it."""
    pairs = float(events.sum() * others.sum())
    if pairs == 0:
        return None
    below = np.cumsum(others) - others
    return float((events * (below + others / 2)).sum()) / pairs
