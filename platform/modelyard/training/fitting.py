"""Fit a pipeline on some rows and predict others; whatever goes wrong inside it is the definition's or the data's."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidData, ModelyardError
from modelyard.training.storage.stored import predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from modelyard.config.kinds.model import Task
    from modelyard.training.rows import Rows
    from modelyard.training.splits import Positions


def fit(pipeline: Any, rows: Rows, positions: Positions) -> Any:
    """A copy of a pipeline, fitted on some rows.

    Raises:
        InvalidData: The pipeline does not take these rows.
    """
    from sklearn.base import clone

    fitted = clone(pipeline)
    weights = {} if rows.weight is None else {_weight_argument(fitted): rows.weight[positions]}
    frame = rows.frame.iloc[positions]
    try:
        fitted.fit(frame, rows.label[positions], **weights)
    except (ModelyardError, OSError):
        raise
    except MemoryError as error:
        reason = f"fitting on {len(positions):,} rows took more memory than there is"
        raise InvalidData(reason, "raise resources.memory, or train on fewer rows") from error
    except Exception as error:
        reason = f"the pipeline can't be fitted: {type(error).__name__}: {error}"
        raise InvalidData(reason, _hint(frame, str(error).lower())) from error
    return fitted


def _weight_argument(pipeline: Any) -> str:
    name, last = pipeline.steps[-1]
    parameters = inspect.signature(last.fit).parameters.values()
    if not any(one.name == "sample_weight" or one.kind is one.VAR_KEYWORD for one in parameters):
        reason = f"`{type(last).__name__}` does not weigh rows, but data.labels.weight is set"
        raise InvalidData(reason, "leave the weight out, or choose a class whose fit takes sample_weight")
    return f"{name}__sample_weight"


def _hint(frame: pd.DataFrame, said: str) -> str:
    """What to do about the columns that an error is about, which it does not name, and about the next such error."""
    texts = [name for name in frame.columns if frame[name].dtype == object]
    endless = [name for name in frame.columns if name not in texts and np.isinf(frame[name]).any()]
    gaps = [name for name in frame.columns if frame[name].isna().any()]
    about_texts = bool(texts) and any(word in said for word in ("string", "'str'", "object", "dtypes"))
    hints = []
    if about_texts:
        hints.append(f"categories ({_few(texts)}) need an encoder in a `columns` step")
    if gaps and (about_texts or any(word in said for word in ("nan", "missing", "null"))):
        hints.append(f"columns with missing values ({_few(gaps)}) need an imputer, or a class that takes them")
    if endless and "infinity" in said:
        hints.append(f"infinite values ({_few(endless)}) need to be missing, or other numbers, in the data")
    return "; ".join(hints)


def _few(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:5])


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for rows by pipelines that were not fitted on them."""

    positions: Positions
    predicted: npt.NDArray[np.float64]
    fold: npt.NDArray[np.int64]
    """The number of the fold that each row was left out of, from 0."""


def predict_out_of_fold(
    pipeline: Any, rows: Rows, task: Task, folds: Sequence[tuple[Positions, Positions]], tell: Any
) -> OutOfFold:
    """Fit on each fold's rows and predict those that it leaves out.

    Args:
        pipeline: Not fitted.
        rows: The training set.
        task: What is predicted.
        folds: Positions to fit on and to predict, for each fold.
        tell: Called with what is being done and the part that is done.
    """
    parts = []
    for number, (train, test) in enumerate(folds):
        tell(f"fitting fold {number + 1} of {len(folds)}", number / len(folds))
        fitted = fit(pipeline, rows, train)
        parts.append(predict(fitted, rows.frame.iloc[test], task, len(rows.classes)))
    positions = np.concatenate([test for _, test in folds])
    order = np.argsort(positions)
    numbers = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    return OutOfFold(positions[order], np.concatenate(parts)[order], numbers[order])
