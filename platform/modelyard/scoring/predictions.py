"""What a model's output is called: in a column of a partition, and in an answer to a request.

A binary classifier's prediction is the probability of the event, a regressor's is a number. A multiclass one's is the
most probable class by name, with `probability_<class>` beside it. One more task is one more branch in `named`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from modelyard.config.kinds.model import Task

PREDICTION = "prediction"
PROBABILITY = "probability_"


def named(task: Task, classes: Sequence[str], predicted: npt.NDArray[np.float64]) -> dict[str, Any]:
    """A model's output as columns of a table.

    Args:
        task: What the model predicts.
        classes: The names of the classes, in the order of their columns; of no meaning but in multiclass.
        predicted: Probabilities of the event, of each class (rows × classes), or numbers.
    """
    import pyarrow as pa

    if task != "multiclass_classification":
        return {PREDICTION: predicted}
    chosen = pa.array(np.argmax(predicted, axis=1), pa.int32())
    names = pa.DictionaryArray.from_arrays(chosen, pa.array(classes, pa.string()))
    return {PREDICTION: names, **{PROBABILITY + name: predicted[:, index] for index, name in enumerate(classes)}}


def fault(task: Task, predicted: npt.NDArray[np.float64]) -> tuple[int, str] | None:
    """The first row whose prediction can't be one, and what is wrong with it; None where all are sound.

    Args:
        task: What the model predicts.
        predicted: What it predicted, a row at a time.
    """
    if not len(predicted):
        return None
    rows = predicted.reshape(len(predicted), -1)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        return int(np.argmin(finite)), "the prediction is not a finite number"
    if task != "regression":
        possible = ((rows >= 0) & (rows <= 1)).all(axis=1)
        if not possible.all():
            return int(np.argmin(possible)), "the prediction is a probability outside of 0 to 1"
    return None


def check_names(classes: Sequence[str], taken: Sequence[str]) -> None:
    """Check that a partition's columns can be told apart.

    Raises:
        InvalidData: An entity's column has the name of one that predictions add.
    """
    added = {PREDICTION, *(PROBABILITY + name for name in classes)}
    if clash := sorted(added.intersection(taken)):
        reason = f"the entity's column `{clash[0]}` has the name of a column of predictions"
        raise InvalidData(reason, "rename it in the source")
