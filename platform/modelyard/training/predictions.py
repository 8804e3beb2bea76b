"""Predictions beside the truth, and what several metrics need of them under many rows of weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelyard.config.kinds.model import Task

    Array = npt.NDArray[np.float64]

BINARY: Task = "binary_classification"


@dataclass(frozen=True)
class Predictions:
    """What was predicted for rows, and what is true of them."""

    task: Task
    label: npt.NDArray[np.int64] | Array
    """Class codes, or numbers."""
    predicted: Array
    """Probabilities of the event, probabilities of each class (rows × classes), or numbers."""
    weight: Array | None = None

    @cached_property
    def by_class(self) -> Array:
        """Rows × classes: the predicted probabilities; in binary classification, of the event alone."""
        by_class: Array = self.predicted[:, np.newaxis] if self.predicted.ndim == 1 else self.predicted
        return by_class

    @cached_property
    def is_class(self) -> Array:
        """Rows × classes: 1 where the row is of the class; in binary classification, of the event alone."""
        codes = [1] if self.task == BINARY else range(self.by_class.shape[1])
        return np.stack([self.label == code for code in codes], axis=1).astype(np.float64)

    @cached_property
    def chosen(self) -> npt.NDArray[np.intp]:
        """The predicted class of each row: the most probable one."""
        if self.task == BINARY:
            return (self.predicted > 0.5).astype(np.intp)  # noqa: PLR2004 - the event is more probable than not
        chosen: npt.NDArray[np.intp] = np.argmax(self.predicted, axis=1)
        return chosen

    @cached_property
    def losses(self) -> Array:
        """Rows × 3: whether the chosen class is right, the squared error, the negative log likelihood."""
        tiny = np.finfo(np.float64).eps
        of_label = np.sum(self.is_class * self.by_class, axis=1)
        if self.task == BINARY:
            of_label = np.where(self.label == 1, self.predicted, 1 - self.predicted)
        squared = np.sum((self.by_class - self.is_class) ** 2, axis=1)
        right = self.chosen == self.label
        return np.stack([right, squared, -np.log(np.clip(of_label, tiny, 1 - tiny))], axis=1).astype(np.float64)

    @cached_property
    def rankings(self) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """For each class, the rows by rising probability, and where each run of equal probabilities starts."""
        rankings = []
        for scores in self.by_class.T:
            order = np.argsort(scores, kind="stable")
            ranked = scores[order]
            rankings.append((order, np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])))
        return rankings


class Draw:
    """Predictions under rows of weights (draws × rows), with what several metrics need of them."""

    def __init__(self, predictions: Predictions, weights: Array) -> None:
        self.predictions = predictions
        self.weights = weights

    def mean(self, columns: Array) -> Array:
        """Weighted means of columns (rows × columns), as draws × columns."""
        means: Array = (self.weights @ columns) / self.weights.sum(axis=1, keepdims=True)
        return means

    @cached_property
    def tallies(self) -> list[tuple[Array, Array]]:
        """For each class, the weight of its rows and of the others, by rising probability (draws × probabilities)."""
        tallies = []
        for (order, starts), is_class in zip(self.predictions.rankings, self.predictions.is_class.T, strict=True):
            weights = self.weights[:, order]
            inside = np.add.reduceat(weights * is_class[order], starts, axis=1)
            tallies.append((inside, np.add.reduceat(weights, starts, axis=1) - inside))
        return tallies

    @cached_property
    def confusion(self) -> Array:
        """Draws × true class × predicted class: weights."""
        label, chosen = self.predictions.label.astype(np.intp), self.predictions.chosen
        classes = max(2, self.predictions.by_class.shape[1])
        cells = np.zeros((len(label), classes * classes))
        cells[np.arange(len(label)), label * classes + chosen] = 1
        confusion: Array = (self.weights @ cells).reshape(-1, classes, classes)
        return confusion

    @cached_property
    def recall_and_precision(self) -> tuple[Array, Array]:
        """Draws × classes; 0 where nothing was chosen, NaN where no row is of the class."""
        right = np.diagonal(self.confusion, axis1=1, axis2=2)
        true, chosen = self.confusion.sum(axis=2), self.confusion.sum(axis=1)
        recall = divide(right, true)
        return recall, np.where(true > 0, divide(right, chosen, otherwise=0), np.nan)

    def macro(self, by_class: Array) -> Array:
        """Of draws × classes, the event's in binary classification, else the mean over the classes that have rows."""
        return by_class[:, 1] if self.predictions.task == BINARY else mean_known(by_class)


def mean_known(by_class: Array) -> Array:
    """Of draws × classes, the mean over the classes that are not NaN."""
    known = ~np.isnan(by_class)
    return divide(np.where(known, by_class, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def divide(numerator: Array, denominator: Array, otherwise: float = np.nan) -> Array:
    """A quotient; `otherwise` where the denominator is not positive."""
    quotient: Array = np.where(denominator > 0, numerator / denominator, otherwise)
    return quotient
