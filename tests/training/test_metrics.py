import time
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from modelyard.config.kinds.model import Metric, Task
from modelyard.errors import InvalidData
from modelyard.training.intervals import estimate
from modelyard.training.metrics import DEFAULTS, METRICS, evaluate
from modelyard.training.predictions import Predictions

BINARY: tuple[Metric, ...] = tuple(name for name, kind in METRICS.items() if "binary_classification" in kind.tasks)


def test_every_metric_of_the_config_is_there() -> None:
    assert set(get_args(Metric)) == set(METRICS)
    assert set(DEFAULTS) == set(get_args(Task))
    assert all(task in METRICS[name].tasks for task, names in DEFAULTS.items() for name in names)


@st.composite
def scored(draw: st.DrawFn, classes: int) -> tuple[Any, Any, Any]:
    rows = draw(st.integers(classes * 2, 30))
    source = np.random.default_rng(draw(st.integers(0, 10_000)))
    label = np.r_[np.arange(classes), source.integers(0, classes, rows - classes)]
    # Few distinct probabilities, so that ties are many.
    chances = source.integers(1, 6, (rows, classes)) / 1.0
    weight = source.integers(1, 4, rows).astype(float)
    return label, chances / chances.sum(axis=1, keepdims=True), weight


def values(task: Task, label: Any, predicted: Any, weight: Any, names: tuple[Metric, ...]) -> dict[str, float]:
    found = evaluate(Predictions(task, label, predicted, weight), names, seed=0)
    return {name: one.value for name, one in found.items()}


@given(scored(2))
def test_binary_metrics_agree_with_scikit_learn(data: tuple[Any, Any, Any]) -> None:
    label, chances, weight = data
    score = chances[:, 1]
    chosen = (score > 0.5).astype(int)
    false_rate, true_rate, _ = reference.roc_curve(label, score, sample_weight=weight)
    area = reference.roc_auc_score(label, score, sample_weight=weight)
    weighted: dict[str, Any] = {"sample_weight": weight}
    assert values("binary_classification", label, score, weight, BINARY) == pytest.approx(
        {
            "roc_auc": area,
            "gini": 2 * area - 1,
            "ks": np.max(np.abs(true_rate - false_rate)),
            "average_precision": reference.average_precision_score(label, score, **weighted),
            "brier": reference.brier_score_loss(label, score, **weighted),
            "log_loss": reference.log_loss(label, score, **weighted),
            "accuracy": reference.accuracy_score(label, chosen, **weighted),
            "balanced_accuracy": reference.balanced_accuracy_score(label, chosen, **weighted),
            "precision": reference.precision_score(label, chosen, zero_division=0, **weighted),
            "recall": reference.recall_score(label, chosen, zero_division=0, **weighted),
            "f1": reference.f1_score(label, chosen, zero_division=0, **weighted),
        }
    )


@given(scored(3))
def test_multiclass_metrics_agree_with_scikit_learn(data: tuple[Any, Any, Any]) -> None:
    label, chances, weight = data
    chosen = chances.argmax(axis=1)
    area = reference.roc_auc_score(label, chances, multi_class="ovr", average="macro", sample_weight=weight)
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0, "sample_weight": weight}
    found = values("multiclass_classification", label, chances, weight, BINARY)
    assert found.pop("ks") == pytest.approx(
        np.mean(
            [values("binary_classification", (label == k) * 1, chances[:, k], weight, ("ks",))["ks"] for k in range(3)]
        )
    )
    one_hot = np.eye(3)[label]
    assert found == pytest.approx(
        {
            "roc_auc": area,
            "gini": 2 * area - 1,
            "average_precision": reference.average_precision_score(
                one_hot, chances, average="macro", sample_weight=weight
            ),
            "brier": np.average(((chances - one_hot) ** 2).sum(axis=1), weights=weight),
            "log_loss": reference.log_loss(label, chances, sample_weight=weight),
            "accuracy": reference.accuracy_score(label, chosen, sample_weight=weight),
            "balanced_accuracy": reference.balanced_accuracy_score(label, chosen, sample_weight=weight),
            "precision": reference.precision_score(label, chosen, **macro),
            "recall": reference.recall_score(label, chosen, **macro),
            "f1": reference.f1_score(label, chosen, **macro),
        }
    )


@given(scored(2))
def test_regression_metrics_agree_with_scikit_learn(data: tuple[Any, Any, Any]) -> None:
    label, chances, weight = data
    true, predicted = 1e6 + label + chances[:, 0], 1e6 + chances[:, 1] * 2
    assert values("regression", true, predicted, weight, ("rmse", "mae", "r2")) == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(true, predicted, sample_weight=weight),
            "mae": reference.mean_absolute_error(true, predicted, sample_weight=weight),
            "r2": reference.r2_score(true, predicted, sample_weight=weight),
        }
    )


def sample(rows: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    source = np.random.default_rng(seed)
    label = source.integers(0, 2, rows)
    return label, 1 / (1 + np.exp(-source.normal(label * 1.5 - 0.75)))


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    label, score = sample(100_000)
    true = reference.roc_auc_score(label, score)
    held = 0
    for seed in range(100):
        found = evaluate(Predictions("binary_classification", *sample(300, seed)), ("roc_auc",), seed=seed)["roc_auc"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    assert held >= 88


def test_the_seed_decides_the_interval() -> None:
    predictions = Predictions("binary_classification", *sample(500))
    once, again, other = (evaluate(predictions, ("roc_auc", "brier"), seed=seed) for seed in (1, 1, 2))
    assert once == again != other


def test_a_usual_set_on_thirty_thousand_rows_takes_less_than_a_second() -> None:
    predictions = Predictions("binary_classification", *sample(30_000))
    begun = time.process_time()
    evaluate(predictions, ("roc_auc", "gini", "ks", "brier"), seed=0)
    assert time.process_time() - begun < 3  # a slow and busy machine's second


def test_what_is_not_defined_is_left_out() -> None:
    predictions = Predictions("binary_classification", np.array([1, 1, 1]), np.array([0.2, 0.6, 0.7]))
    found = evaluate(predictions, ("roc_auc", "accuracy"), seed=0)
    assert list(found) == ["accuracy"]
    assert found["accuracy"].value == pytest.approx(2 / 3)


def test_a_metric_without_a_defined_draw_has_no_interval() -> None:
    def values(weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        return {"odd": np.where(len(weights) == 1, 1.0, np.nan) * np.ones(len(weights))}

    (found,) = estimate(values, np.ones(5), 0).values()
    assert (found.value, found.low, found.high) == (1, None, None)


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(InvalidData, match=r"`rmse` is not for binary_classification"):
        evaluate(Predictions("binary_classification", *sample(10)), ("rmse",), seed=0)
