"""How the lender lends, and what decides whether a loan is repaid: pure functions of observable history.

The rules are made up for the simulation, so that a data scientist meets what lending has: effects that level off,
thresholds, interactions, and most of the outcome left to chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modelyard.simulator.calendar import Floats
    from modelyard.simulator.history import Observed
    from modelyard.simulator.markets import Market

_LADDER = np.array([1.0, 1.5, 2.0, 2.5, 3.0])
"""The loan in units of the market, by the number of loans known to be repaid."""


def principal(seen: Observed, market: Market) -> Floats:
    """How much is lent: more with each loan that is known to be repaid, and half of it after a known default."""
    step = np.minimum(seen.repaid_180d, len(_LADDER) - 1).astype(np.int64)
    lent: Floats = market.unit * _LADDER[step] * np.where(seen.defaults_180d > 0, 0.5, 1.0)
    return lent


def default_probability(seen: Observed, lent: Floats, market: Market) -> Floats:
    """The probability that a loan is not repaid within 30 days.

    Args:
        seen: What is known of the borrowers at the midnight at or before the disbursement.
        lent: The principals.
        market: The market, whose `base` and `contrast` shift and stretch the log-odds.
    """
    small = 0.1 * market.unit
    burden = np.tanh(np.log((lent + small) / (seen.in_30d + small)) + 1.6)
    overspent = np.clip(np.log((seen.out_30d + small) / (seen.in_30d + small)), -1.0, 1.5)
    uneven = np.clip(seen.in_stddev_30d / np.maximum(seen.in_avg_30d, small) - 1.0, 0.0, 2.0)
    pace = np.clip(np.log((seen.txn_count_7d * 30 / 7 + 2) / (seen.txn_count_30d + 2)), -0.75, 0.75)
    silent = np.minimum(seen.days_since_last, 10.0) / 10.0
    new_device = seen.devices_30d > 0
    weighs = burden > 0.0
    score = (
        1.1 * burden
        # An uneven income is no harm until the loan weighs on it; neither is a wallet that falls quiet.
        + 0.3 * uneven * weighs
        + np.where(weighs, 4.5, 0.5) * np.maximum(-pace, 0.0)
        # One that is busier than usual is a faint sign too.
        + 0.4 * np.maximum(pace, 0.0)
        + 0.4 * overspent
        + 0.4 * silent
        # A rooted device alone says little; one that has just appeared is how stolen accounts look.
        + 0.3 * seen.is_rooted
        + 0.3 * new_device
        + 1.8 * (seen.is_rooted & new_device)
        + 0.7 * np.minimum(seen.defaults_180d, 2.0)
        - 0.15 * np.minimum(seen.repaid_180d, 3.0)
    )
    probability: Floats = 1.0 / (1.0 + np.exp(-(market.base + market.contrast * score)))
    return probability
