"""Models predict with as many threads as they are told to, and start no processes."""

from __future__ import annotations

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from modelyard.scoring.threads import use_threads

FEATURES = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (FEATURES[:, 0] > 0).astype(int)


@pytest.mark.parametrize("set_to", [None, 1, 7])
def test_a_forest_in_a_vote_in_a_pipeline_is_reached_and_what_holds_it_is_not(set_to: int | None) -> None:
    forest = RandomForestClassifier(n_estimators=3, n_jobs=set_to)
    vote = VotingClassifier([("forest", forest), ("line", LogisticRegression())], voting="soft")
    columns = ColumnTransformer([("all", StandardScaler(), [0, 1, 2])])
    pipeline = Pipeline([("columns", columns), ("vote", vote)]).fit(FEATURES, LABELS)
    before = pipeline.predict_proba(FEATURES)
    use_threads(pipeline, 2)
    assert pipeline["vote"].estimators_[0].n_jobs == 2
    assert pipeline["vote"].n_jobs is None
    assert pipeline["columns"].n_jobs is None
    np.testing.assert_allclose(pipeline.predict_proba(FEATURES), before)


def test_boosters_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    light = LGBMClassifier(n_estimators=3, verbosity=-1).fit(FEATURES, LABELS)
    extreme = XGBClassifier(n_estimators=3).fit(FEATURES, LABELS)
    before = extreme.predict_proba(FEATURES)
    for model in (light, extreme):
        use_threads(model, 3)
        assert model.n_jobs == 3
    assert '"nthread":"3"' in extreme.get_booster().save_config()
    np.testing.assert_array_equal(extreme.predict_proba(FEATURES), before)
    assert capfd.readouterr().err == ""
