"""Bootstrap intervals: how far a metric would move if other rows of the same kind had been drawn.

The percentile bootstrap (Efron and Tibshirani 1993, chapter 13): rows are drawn anew with replacement, the metric is
computed on each draw, and the interval holds the middle 95 % of what came out. A draw is a row of weights, so that a
metric, written for many rows of weights at once, gives its value and its interval by the same formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.registry.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    Weights = npt.NDArray[np.float64]
    Values = Mapping[str, npt.NDArray[np.float64]]

DRAWS = (100, 500)
"""The least and the most draws: below, an interval's ends are noise; beyond, they hardly move."""
BUDGET = 10_000_000  # rows drawn in all, which take about half a second
CELLS = 200_000  # weights held at a time: 1.6 MB, which caches hold; a million take half as long again


def estimate(values: Callable[[Weights], Values], weight: npt.NDArray[np.float64], seed: int) -> dict[str, Estimate]:
    """Metrics with their 95 % intervals.

    Args:
        values: Given weights (draws × rows), each metric's values (one a draw); NaN where it is not defined.
        weight: The rows' own weights.
        seed: Decides the draws.

    Returns:
        The metrics that are defined on these rows.
    """
    points = values(weight[np.newaxis])
    drawn = [values(draws * weight) for draws in _draws(len(weight), seed)]
    found = {}
    for name, point in points.items():
        if np.isfinite(point[0]):
            low, high = _interval(np.concatenate([chunk[name] for chunk in drawn]))
            found[name] = Estimate(value=float(point[0]), low=low, high=high)
    return found


def _interval(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _draws(rows: int, seed: int) -> Iterator[Weights]:
    """How often each row is drawn, for as many draws as the budget allows, some at a time."""
    source = np.random.default_rng(seed)
    remaining = int(np.clip(BUDGET // rows, *DRAWS))
    at_once = max(1, CELLS // rows)
    while remaining > 0:
        count = min(at_once, remaining)
        cells = source.integers(0, rows, size=(count, rows)) + np.arange(count)[:, np.newaxis] * rows
        yield np.bincount(cells.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)
        remaining -= count
