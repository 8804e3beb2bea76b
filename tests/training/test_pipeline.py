from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from modelyard.errors import InvalidData, MissingExtra
from modelyard.training import construct
from modelyard.training.construct import Ingredients
from modelyard.training.modules import MODULES
from modelyard.training.names import PlainNames, plain_names
from modelyard.training.pipeline import build_pipeline
from tests.training import yard

if TYPE_CHECKING:
    from modelyard.config.kinds.model import Task

FEATURES = {"a": "number", "b": "boolean", "c": "category", "d, e": "category"}
FRAME = pd.DataFrame(
    {
        "a": [1.0, 2.0, float("nan"), 4.0, 5.0, 6.0],
        "b": [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        "c": pd.Series(["x", "y", np.nan, "x", "y", "x"], dtype=object),
        "d, e": pd.Series(["[1]", "<2>", "[1]", '"{3}"', "<2>", "[1]"], dtype=object),
    }
)
LABEL = np.array([0, 1, 0, 1, 0, 1])
IMPUTE = {"use": "sklearn.impute.SimpleImputer"}
ONE_HOT = {"use": "sklearn.preprocessing.OneHotEncoder"}
LOGISTIC = {"use": "sklearn.linear_model.LogisticRegression"}
TREE = {"use": "sklearn.tree.DecisionTreeClassifier"}


def build(*steps: Any, task: Task = "binary_classification", **ingredients: Any) -> Any:
    pipeline = yard.definition("m", *steps).pipeline
    return build_pipeline(pipeline, task, Ingredients(**{"features": FEATURES, **ingredients}))


def columns(**groups: Any) -> dict[str, Any]:
    remainder = groups.pop("remainder", "drop")
    return {"columns": groups, "remainder": remainder}


def test_groups_are_made_of_kinds_less_the_named_columns() -> None:
    made = build({"columns": {"numeric": [IMPUTE], "categorical": [ONE_HOT], "a": "passthrough", "d, e": "drop"}}, TREE)
    groups = [(name, step, names) for name, step, names in made.steps[0][1].transformers]
    assert [names for _, _, names in groups] == [["b"], ["c"], ["a"], ["d, e"]]
    assert list(made[:-1].fit_transform(FRAME).columns) == ["b", "c_x", "c_y", "c_nan", "a"]


def test_several_names_stand_in_one_key_and_steps_follow_each_other() -> None:
    scale = {"use": "sklearn.preprocessing.StandardScaler"}
    made = build(columns(**{"a, b": [IMPUTE, scale]}, remainder="passthrough"), TREE)
    out = made[:-1].fit_transform(FRAME)
    assert list(out.columns) == ["a", "b", "c", "d, e"]
    assert out["a"].mean() == pytest.approx(0)


def test_a_group_without_columns_is_left_out() -> None:
    made = build(columns(numeric=[IMPUTE], categorical=[ONE_HOT]), TREE, features={"a": "number"})
    assert [name for name, *_ in made.steps[0][1].transformers] == ["group_0"]
    with pytest.raises(InvalidData, match="no column for any of `categorical`"):
        build(columns(categorical=[ONE_HOT]), TREE, features={"a": "number"})


@pytest.mark.parametrize("booster", ["lightgbm.LGBMClassifier", "xgboost.XGBClassifier"])
def test_boosters_get_names_that_they_take(booster: str) -> None:
    quiet = {"verbosity": -1 if booster.startswith("lightgbm") else 0, "n_estimators": 2}
    made = build(columns(numeric="passthrough", categorical=[ONE_HOT]), {"use": booster, "with": quiet})
    fitted = made.fit(FRAME, LABEL)
    assert fitted.predict_proba(FRAME).shape == (6, 2)
    names = list(fitted[:-1].get_feature_names_out())
    assert names[:2] == ["a", "b"]
    assert len(set(names)) == len(names)


def test_plain_names_are_unique_and_stay() -> None:
    assert plain_names(["a b", "a,b", "a_b", "é", "[x]"]) == ["a_b", "a_b_2", "a_b_3", "é", "_x_"]
    matrix: Any = np.zeros((2, 2))
    untouched: Any = PlainNames().fit(matrix)
    assert untouched.transform(matrix) is matrix
    assert list(untouched.get_feature_names_out(["p", "q"])) == ["p", "q"]


def test_the_seed_and_the_threads_reach_every_depth() -> None:
    voting = {
        "use": "sklearn.ensemble.VotingClassifier",
        "with": {
            "voting": "soft",
            "estimators": [
                ["forest", {"use": "sklearn.ensemble.RandomForestClassifier", "with": {"n_estimators": 3}}],
                ["tree", {"use": "sklearn.tree.DecisionTreeClassifier", "with": {"random_state": 5}}],
                ["boosted", {"use": "lightgbm.LGBMClassifier"}],
            ],
        },
    }
    last = build(voting, seed=11, threads=3).steps[-1][1]
    parameters = last.get_params()
    assert parameters["forest__random_state"] == 11
    assert parameters["tree__random_state"] == 5
    assert parameters["boosted__random_state"] == 11
    assert parameters["forest__n_jobs"] == parameters["boosted__n_jobs"] == 3
    assert parameters["n_jobs"] is None
    one = build(voting, seed=11, threads=1).steps[-1][1].get_params()
    assert (one["forest__n_jobs"], one["boosted__n_jobs"]) == (None, 1)


def test_splitters_and_kernels_are_built_as_they_are() -> None:
    kernel = {"use": "sklearn.gaussian_process.kernels.RBF", "with": {"length_scale": 2.0}}
    process = {"use": "sklearn.gaussian_process.GaussianProcessClassifier", "with": {"kernel": kernel}}
    stacking = {
        "use": "sklearn.ensemble.StackingClassifier",
        "with": {
            "estimators": [["l", LOGISTIC], ["p", process]],
            "cv": {"use": "sklearn.model_selection.KFold", "with": {"n_splits": 2}},
            "final_estimator": LOGISTIC,
        },
    }  # fmt: skip
    made = build(columns(**{"b": "passthrough"}), stacking)
    assert made.steps[-1][1].cv.random_state is None
    assert made.fit(FRAME, LABEL).predict_proba(FRAME).shape == (6, 2)


def test_calibration_holds_an_estimator_by_itself() -> None:
    calibrated = {"use": "sklearn.calibration.CalibratedClassifierCV", "with": {"estimator": TREE, "cv": 2}}
    assert build(calibrated).steps[-1][1].estimator.random_state == 0


def test_lists_become_tuples_where_the_class_wants_them() -> None:
    scaled = {"use": "sklearn.preprocessing.MinMaxScaler", "with": {"feature_range": [0, 2]}}
    made = build(columns(numeric=[IMPUTE, scaled]), TREE)
    assert made[:-1].fit_transform(FRAME)["b"].max() == 2


def test_texts_are_read_from_one_column_and_stay_sparse() -> None:
    words = {"use": "sklearn.feature_extraction.text.CountVectorizer"}
    made = build(columns(text=[words]), LOGISTIC, features={"text": "category"})
    frame = pd.DataFrame({"text": ["good film", "bad film", "good", "bad"]})
    assert made.fit(frame, [1, 0, 1, 0]).predict(frame).tolist() == [1, 0, 1, 0]


def test_rules_know_classes_by_name() -> None:
    rules = {"use": "modelyard.training.rules.RuleClassifier", "with": {
        "rules": [{"when": "a < 2", "then": "low"}], "otherwise": "high"}}  # fmt: skip
    made = build(rules, classes=("low", "high")).fit(FRAME, LABEL)
    assert made.predict(FRAME).tolist() == [0, 1, 1, 1, 1, 1]


WRONG: list[tuple[list[Any], str, str]] = [
    ([{"use": "sklearn.svm.SVCC"}], r"pipeline\[0\].use: `sklearn.svm.SVCC` is not a class of `sklearn.svm`", "`SVC`"),
    ([{"use": "sklearn.linear_modl.X"}], r"pipeline\[0\].use: there is no module `sklearn.linear_modl`", ""),
    ([{"use": "os.system"}], "lies in no module that pipelines may name", "`sklearn`"),
    ([{"use": "subprocess.Popen"}], "lies in no module", ""),
    ([{"use": "sklearnx.Popen"}], "lies in no module", ""),
    ([{"use": "sklearn.base.clone"}], "is not a class", ""),
    ([{"use": "sklearn.utils.validation.ComplexWarning"}], "is not a class", ""),
    ([{"use": "sklearn.pipeline._BaseComposition"}], "private", "public"),
    ([{"use": "sklearn.externals._packaging.version.Version"}], "private", "public"),
    ([{"use": "lightgbm.LGBMClassifier", "with": {"learning_rat": 1}}],
     r"pipeline\[0\].with.learning_rat: lightgbm.LGBMClassifier has no such argument", "learning_rate"),
    ([{"use": "xgboost.XGBClassifier", "with": {"max_dept": 1}}], r"pipeline\[0\].with.max_dept", "max_depth"),
    ([TREE | {"with": {"max_dept": 1}}], r"pipeline\[0\].with.max_dept", "max_depth"),
    ([{"use": "sklearn.calibration.CalibratedClassifierCV", "with": {"estimator": TREE | {"with": {"max_dept": 1}}}}],
     r"pipeline\[0\].with.estimator.with.max_dept", "max_depth"),
    ([{"use": "sklearn.ensemble.VotingClassifier", "with": {"estimators": [["a", TREE | {"with": {"x": 1}}]]}}],
     r"pipeline\[0\].with.estimators\[0\]\[1\].with.x", ""),
    ([{"use": "sklearn.calibration.CalibratedClassifierCV", "with": {"estimator": TREE | {"args": 1}}}],
     r"pipeline\[0\].with.estimator.args: Extra inputs", "`use` and `with`"),
    ([{"use": "sklearn.ensemble.VotingClassifier"}], r"pipeline\[0\]: .* could not be made: .*estimators", ""),
    ([TREE, LOGISTIC], r"pipeline\[0\]: `sklearn.tree.DecisionTreeClassifier` does not transform", "last step"),
    ([IMPUTE], "has no predict_proba, which binary_classification needs", "CalibratedClassifierCV"),
    ([{"use": "sklearn.linear_model.RidgeClassifier"}], "has no predict_proba", ""),
    ([{"use": "sklearn.linear_model.Ridge"}], "has no predict_proba", ""),
    ([columns(numeric=[IMPUTE]), columns(numeric=[IMPUTE]), TREE], r"pipeline\[1\].columns: only the first step", ""),
    ([columns(aa="drop"), TREE], "the model has no feature `aa`", "its features: a, b"),
    ([{"columns": {"a": "drop", "b,a": "drop"}}, TREE], "`a` is named in two groups", ""),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "reason", "hint"), WRONG, ids=[json.dumps(one[0])[:60] for one in WRONG])
def test_mistakes_are_named_with_their_place(steps: list[Any], reason: str, hint: str) -> None:
    with pytest.raises(InvalidData, match=reason) as caught:
        build(*steps)
    assert hint in caught.value.hint


def test_regression_needs_predict() -> None:
    assert build({"use": "sklearn.linear_model.Ridge"}, task="regression").steps[-1][1].random_state == 0
    with pytest.raises(InvalidData, match="has no predict, which regression needs"):
        build(IMPUTE, task="regression")


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name.split(".", maxsplit=1)[0])

    monkeypatch.setattr(construct.importlib, "import_module", missing)  # type: ignore[attr-defined]  # the module's own import
    with pytest.raises(MissingExtra, match="extra `lightgbm`"):
        build({"use": "lightgbm.LGBMClassifier"})


def test_arguments_that_lightgbm_takes_without_naming_them_are_known() -> None:
    assert {"verbosity", "num_iterations", "linear_tree"} <= MODULES["lightgbm"].keywords()
    build({"use": "lightgbm.LGBMClassifier", "with": {"verbosity": -1, "linear_tree": True}})
    build({"use": "xgboost.XGBClassifier", "with": {"rate_drop": 0.1}})


def test_a_step_that_does_not_know_set_output_is_left_alone() -> None:
    class Doubling:
        def __init__(self, by: float = 2) -> None:
            self.by = by

        def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - the signature is scikit-learn's
            return {"by": self.by}

        def fit(self, X: Any, y: Any = None) -> Doubling:  # noqa: ARG002 - the signature is scikit-learn's
            return self

        def transform(self, X: Any) -> Any:
            return X * self.by

    Doubling.__module__ = "tests.training.test_pipeline"
    globals()["Doubling"] = Doubling
    made = build({"use": "own.test_pipeline.Doubling"}, TREE, packages={"own": "tests.training"})
    assert made.steps[0][1].transform(FRAME[["a"]])["a"][0] == 2
    with pytest.raises(InvalidData, match=r"is not a class of `own\.test_pipeline`"):
        build({"use": "own.test_pipeline.InvalidData"}, TREE, packages={"own": "tests.training"})
