"""The figures of the optimum, against the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.simulator.optimum import Tally

# Probabilities in the middle of bins, so that those which differ never share one.
LOANS = st.lists(st.tuples(st.integers(0, 15).map(lambda step: (step + 0.5) / 16), st.integers(0, 1)), max_size=40)


def tally(loans: list[tuple[float, int]]) -> Tally:
    tallied = Tally()
    probability, defaulted = np.array([p for p, _ in loans]), np.array([d for _, d in loans], dtype=np.int64)
    tallied.add(probability, defaulted)
    return tallied


def area(weighted: list[tuple[float, float, float]]) -> float | None:
    """The chance that of an event and another row, drawn by their weights, the event has the higher probability."""
    pairs = [(e * o, (p > q) + (p == q) / 2) for p, e, _ in weighted for q, _, o in weighted]
    total = sum(weight for weight, _ in pairs)
    return sum(weight * won for weight, won in pairs) / total if total else None


@given(LOANS)
def test_figures_are_those_of_their_definitions(loans: list[tuple[float, int]]) -> None:
    optimum = tally(loans).optimum()
    assert optimum.loans == len(loans)
    assert optimum.roc_auc == pytest.approx(area([(p, d, 1 - d) for p, d in loans]))
    assert optimum.expected_roc_auc == pytest.approx(area([(p, p, 1 - p) for p, _ in loans]))
    if loans:
        assert optimum.default_rate == pytest.approx(np.mean([d for _, d in loans]))
        assert optimum.brier == pytest.approx(np.mean([(p - d) ** 2 for p, d in loans]))
        assert optimum.expected_brier == pytest.approx(np.mean([p * (1 - p) for p, _ in loans]))


@given(LOANS, LOANS)
def test_two_tallies_together_are_the_tally_of_both(
    some: list[tuple[float, int]], others: list[tuple[float, int]]
) -> None:
    merged = tally(some)
    merged.merge(tally(others))
    both = tally(some + others).optimum()
    assert merged.optimum().loans == both.loans
    assert merged.optimum().roc_auc == pytest.approx(both.roc_auc)
    assert merged.optimum().expected_brier == pytest.approx(both.expected_brier)


def test_certain_outcomes_have_a_place_too() -> None:
    optimum = tally([(1.0, 1), (0.0, 0)]).optimum()
    assert (optimum.roc_auc, optimum.brier) == (1.0, 0.0)
