"""How good predictions are: each metric one formula over weighted rows, for many rows of weights at once.

One more metric is one more function and a line in `METRICS` (and its name in the config's `Metric`). In multiclass
tasks a ranking metric is the mean over classes, each against the rest, and precision, recall and f1 are macro averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import InvalidData
from modelyard.training.intervals import estimate
from modelyard.training.predictions import Draw, divide, mean_known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.config.kinds.model import Metric, Task
    from modelyard.registry.records import Estimate
    from modelyard.training.predictions import Array, Predictions

DEFAULTS: dict[Task, tuple[Metric, ...]] = {
    "binary_classification": ("roc_auc", "average_precision", "brier", "log_loss"),
    "multiclass_classification": ("accuracy", "f1", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}
"""The metrics of a model that names none, the shown one first."""


def evaluate(predictions: Predictions, metrics: Sequence[Metric], *, seed: int) -> dict[str, Estimate]:
    """Metrics with their 95 % bootstrap intervals; one that these rows leave undefined is left out.

    Args:
        predictions: What is judged.
        metrics: The metrics' names.
        seed: Decides the bootstrap's draws.

    Raises:
        InvalidData: A metric does not fit the task.
    """
    for name in metrics:
        if predictions.task not in METRICS[name].tasks:
            fitting = ", ".join(f"`{known}`" for known, one in METRICS.items() if predictions.task in one.tasks)
            reason = f"the metric `{name}` is not for {predictions.task}"
            raise InvalidData(reason, f"it has {fitting}")

    def values(weights: Array) -> dict[str, Array]:
        draw = Draw(predictions, weights)
        return {name: METRICS[name].formula(draw) for name in metrics}

    weight = np.ones(len(predictions.label)) if predictions.weight is None else predictions.weight
    with np.errstate(divide="ignore", invalid="ignore"):
        return estimate(values, weight, seed)


def roc_auc(draw: Draw) -> Array:
    """Area under the ROC curve: how often an event ranks above another, ties counting half (Hanley, McNeil 1982)."""

    def area(inside: Array, outside: Array) -> Array:
        below = np.cumsum(outside, axis=1) - outside / 2
        return divide(np.sum(inside * below, axis=1), inside.sum(axis=1) * outside.sum(axis=1))

    return _over_classes(draw, area)


def gini(draw: Draw) -> Array:
    """Gini coefficient of a score, also Somers' D: 2 AUC - 1."""
    return 2 * roc_auc(draw) - 1


def ks(draw: Draw) -> Array:
    """Kolmogorov-Smirnov statistic: the greatest distance between the score distributions of events and others."""

    def distance(inside: Array, outside: Array) -> Array:
        scales = [divide(np.ones((len(part), 1)), part.sum(axis=1, keepdims=True)) for part in (inside, outside)]
        distances = np.cumsum(inside, axis=1) * scales[0] - np.cumsum(outside, axis=1) * scales[1]
        furthest: Array = np.max(np.abs(distances), axis=1)
        return furthest

    return _over_classes(draw, distance)


def average_precision(draw: Draw) -> Array:
    """Average precision: the sum over thresholds of precision times the gain in recall, without interpolation."""

    def area(inside: Array, outside: Array) -> Array:
        hits = inside[:, ::-1]
        precision = divide(np.cumsum(hits, axis=1), np.cumsum(hits + outside[:, ::-1], axis=1), otherwise=0)
        return divide(np.sum(hits * precision, axis=1), hits.sum(axis=1))

    return _over_classes(draw, area)


def accuracy(draw: Draw) -> Array:
    """The part of rows whose most probable class is right."""
    return draw.mean(draw.predictions.losses)[:, 0]


def brier(draw: Draw) -> Array:
    """Brier score (1950): the mean squared error of probabilities; in multiclass tasks, summed over classes."""
    return draw.mean(draw.predictions.losses)[:, 1]


def log_loss(draw: Draw) -> Array:
    """The mean negative log likelihood, probabilities kept off 0 and 1 by the precision of a float."""
    return draw.mean(draw.predictions.losses)[:, 2]


def balanced_accuracy(draw: Draw) -> Array:
    """The mean recall over classes (Brodersen et al. 2010)."""
    return mean_known(draw.recall_and_precision[0])


def recall(draw: Draw) -> Array:
    """The part of a class's rows that are found."""
    return draw.macro(draw.recall_and_precision[0])


def precision(draw: Draw) -> Array:
    """The part of what is predicted as a class that is of it; 0 where nothing is."""
    return draw.macro(draw.recall_and_precision[1])


def f1(draw: Draw) -> Array:
    """The harmonic mean of precision and recall; 0 where both are."""
    found, right = draw.recall_and_precision
    return draw.macro(np.where(np.isnan(found), np.nan, divide(2 * found * right, found + right, otherwise=0)))


def rmse(draw: Draw) -> Array:
    """The root of the mean squared error."""
    return np.sqrt(draw.mean(_errors(draw)[:, np.newaxis] ** 2)[:, 0])


def mae(draw: Draw) -> Array:
    """The mean absolute error."""
    return draw.mean(np.abs(_errors(draw))[:, np.newaxis])[:, 0]


def r2(draw: Draw) -> Array:
    """The coefficient of determination: 1 less the part of the label's variance that stays unexplained."""
    # Centred first: the variance as a difference of means of squares would lose digits to a large mean.
    label = draw.predictions.label - np.mean(draw.predictions.label)
    unexplained, mean, square = draw.mean(np.stack([_errors(draw) ** 2, label, label**2], axis=1)).T
    return 1 - divide(unexplained, square - mean**2)


def _errors(draw: Draw) -> Array:
    errors: Array = draw.predictions.predicted - draw.predictions.label
    return errors


def _over_classes(draw: Draw, statistic: Callable[[Array, Array], Array]) -> Array:
    return mean_known(np.stack([statistic(*tally) for tally in draw.tallies], axis=1))


@dataclass(frozen=True)
class MetricKind:
    """A metric's formula, and what it is good for."""

    formula: Callable[[Draw], Array]
    greater_is_better: bool
    tasks: tuple[Task, ...]


_CLASSES: tuple[Task, ...] = ("binary_classification", "multiclass_classification")
_NUMBERS: tuple[Task, ...] = ("regression",)

METRICS: dict[Metric, MetricKind] = {
    "roc_auc": MetricKind(roc_auc, True, _CLASSES),
    "gini": MetricKind(gini, True, _CLASSES),
    "ks": MetricKind(ks, True, _CLASSES),
    "average_precision": MetricKind(average_precision, True, _CLASSES),
    "brier": MetricKind(brier, False, _CLASSES),
    "log_loss": MetricKind(log_loss, False, _CLASSES),
    "accuracy": MetricKind(accuracy, True, _CLASSES),
    "balanced_accuracy": MetricKind(balanced_accuracy, True, _CLASSES),
    "precision": MetricKind(precision, True, _CLASSES),
    "recall": MetricKind(recall, True, _CLASSES),
    "f1": MetricKind(f1, True, _CLASSES),
    "rmse": MetricKind(rmse, False, _NUMBERS),
    "mae": MetricKind(mae, False, _NUMBERS),
    "r2": MetricKind(r2, True, _NUMBERS),
}
"""The metrics by the names that configs use."""
