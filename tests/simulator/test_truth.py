"""Defaults depend on observable history alone: the truth is recomputed from the files, by naive SQL."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from modelyard.simulator import risk
from modelyard.simulator.history import Observed
from modelyard.simulator.lender import Simulation, simulate_lender
from modelyard.simulator.markets import market_named
from modelyard.simulator.parameters import LenderParameters

# For each loan: the midnight at or before it, and the rows that happened before that and were known by then.
HISTORY = """
WITH local AS (
    SELECT loan_id, borrower_id, market, principal, date_trunc('day', timezone('{timezone}', disbursed_at)) AS day
    FROM '{folder}/loans/*.parquet'
), loan AS (
    SELECT *, timezone('{timezone}', day) AS t, timezone('{timezone}', day - INTERVAL 7 DAYS) AS t7,
        timezone('{timezone}', day - INTERVAL 30 DAYS) AS t30, timezone('{timezone}', day - INTERVAL 180 DAYS) AS t180
    FROM local
), wallet AS (
    SELECT loan_id,
        coalesce(sum(amount) FILTER (direction = 'in'), 0) AS in_30d,
        coalesce(sum(amount) FILTER (direction = 'out'), 0) AS out_30d,
        coalesce(avg(amount) FILTER (direction = 'in'), 0) AS in_avg_30d,
        coalesce(stddev_samp(amount) FILTER (direction = 'in'), 0) AS in_stddev_30d,
        count(event_time) AS txn_count_30d,
        count(event_time) FILTER (event_time >= t7) AS txn_count_7d,
        coalesce(epoch(min(t - event_time)) / 86400, 30) AS days_since_last
    FROM loan LEFT JOIN '{folder}/transactions/*.parquet' AS moved ON moved.borrower_id = loan.borrower_id
        AND event_time >= t30 AND event_time < t {known}
    GROUP BY loan_id
), device AS (
    SELECT loan_id, coalesce(arg_max(is_rooted, seen_at), false) AS is_rooted,
        count(*) FILTER (seen_at >= t30) AS devices_30d
    FROM loan LEFT JOIN '{folder}/devices/*.parquet' AS held ON held.borrower_id = loan.borrower_id
        AND seen_at < t AND held.available_time <= t
    GROUP BY loan_id
), outcome AS (
    SELECT loan.loan_id, count(*) FILTER (defaulted_30d = 1) AS defaults_180d,
        count(*) FILTER (defaulted_30d = 0) AS repaid_180d
    FROM loan LEFT JOIN '{folder}/loans/*.parquet' AS past ON past.borrower_id = loan.borrower_id
        AND outcome_at >= t180 AND outcome_at < t AND past.available_time <= t
    GROUP BY loan.loan_id
)
SELECT * FROM loan JOIN wallet USING (loan_id) JOIN device USING (loan_id) JOIN outcome USING (loan_id)
JOIN '{folder}/truth/*.parquet' USING (loan_id) WHERE market = '{market}'
"""
KNOWN = "AND moved.available_time <= t"


def recompute(folder: Path, market: str, timezone: str, known: str = KNOWN) -> tuple[Observed, dict[str, Any]]:
    question = HISTORY.format(folder=folder, market=market, timezone=timezone, known=known)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows: dict[str, Any] = dict(connection.execute(question).fetchnumpy())
    kinds = {field.name: bool if field.name == "is_rooted" else float for field in fields(Observed)}
    return Observed(**{name: rows[name].astype(kind) for name, kind in kinds.items()}), rows


def outcomes(folder: Path) -> dict[str, Any]:
    loans, truth = folder / "loans" / "*.parquet", folder / "truth" / "*.parquet"
    known = f"FROM '{loans}' JOIN '{truth}' USING (loan_id) WHERE outcome_at IS NOT NULL"
    with duckdb.connect() as connection:
        return connection.execute(known).fetchnumpy()


def test_the_truth_is_the_formula_over_rows_that_were_known_at_midnight(lender: Simulation) -> None:
    for code in lender.markets:
        seen, rows = recompute(lender.folder, code, "Africa/Nairobi")
        market = market_named(code)
        assert len(rows["loan_id"]) > 500
        np.testing.assert_array_equal(risk.principal(seen, market), rows["principal"])
        expected = risk.default_probability(seen, rows["principal"], market)
        np.testing.assert_allclose(rows["default_probability"], expected, atol=1e-9)


def test_rows_that_came_late_would_have_made_a_difference(lender: Simulation) -> None:
    seen, rows = recompute(lender.folder, "ke", "Africa/Nairobi", known="")
    leaked = risk.default_probability(seen, rows["principal"], market_named("ke"))
    assert np.mean(np.abs(leaked - rows["default_probability"]) > 1e-6) > 0.05


def test_midnights_of_a_timezone_with_daylight_saving(small: LenderParameters, out: Path) -> None:
    parameters = replace(small, markets=("ke",), days=100, borrowers=150, timezone="America/St_Johns")
    folder = simulate_lender(parameters, out, lambda _: None).folder
    seen, rows = recompute(folder, "ke", "America/St_Johns")
    expected = risk.default_probability(seen, rows["principal"], market_named("ke"))
    assert len(expected) > 100
    np.testing.assert_allclose(rows["default_probability"], expected, atol=1e-9)


def test_the_optimum_is_what_scikit_learn_says_of_the_truth(lender: Simulation) -> None:
    rows = outcomes(lender.folder)
    defaulted, probability = rows["defaulted_30d"].astype(int), rows["default_probability"]
    assert lender.overall.loans == len(defaulted)
    assert lender.overall.default_rate == pytest.approx(defaulted.mean())
    assert lender.overall.roc_auc == pytest.approx(roc_auc_score(defaulted, probability), abs=1e-4)
    assert lender.overall.brier == pytest.approx(brier_score_loss(defaulted, probability))
    for market, optimum in lender.markets.items():
        there = rows["market"] == market
        assert optimum.roc_auc == pytest.approx(roc_auc_score(defaulted[there], probability[there]), abs=1e-4)


def test_outcomes_are_drawn_with_their_probabilities(lender: Simulation) -> None:
    rows = outcomes(lender.folder)
    defaulted, probability = rows["defaulted_30d"].astype(int), rows["default_probability"]
    noise = np.sqrt(np.sum(probability * (1 - probability)))
    assert abs(defaulted.sum() - probability.sum()) < 4 * noise
    risky = probability > np.median(probability)
    assert defaulted[risky].mean() > 2 * defaulted[~risky].mean()


def test_the_optimum_and_the_default_rate_are_those_of_a_lender(lender: Simulation) -> None:
    for optimum in lender.markets.values():
        assert optimum.default_rate is not None
        assert optimum.expected_roc_auc is not None
        assert 0.11 < optimum.default_rate < 0.21
        assert 0.74 < optimum.expected_roc_auc < 0.83
    assert len({optimum.expected_roc_auc for optimum in lender.markets.values()}) == len(lender.markets)
    overall = lender.overall
    assert overall.roc_auc is not None
    assert overall.roc_auc == pytest.approx(overall.expected_roc_auc, abs=0.06)
    assert overall.brier == pytest.approx(overall.expected_brier, abs=0.02)
