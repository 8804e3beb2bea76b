"""Golden rows: rows with the predictions of the day of training, replayed whenever the model is loaded.

So a model that another library version, machine or bit flip makes predict differently does not predict at all.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import IntegrityError, ModelyardError
from modelyard.training.frames import to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    Predict = Callable[[pd.DataFrame], npt.NDArray[np.float64]]

ROWS = 100
PREDICTION = "__prediction_"
# Other processors round sums otherwise, and XGBoost predicts in 32 bits: far more than those, far less than matters.
RELATIVE, ABSOLUTE = 1e-5, 1e-6

_UNPREDICTABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RuntimeError)
"""What pipelines raise that were rebuilt from other bytes than those that were written."""


def golden_rows(table: pa.Table, features: Mapping[str, str], predict: Predict) -> bytes:
    """Rows spread over a table with their predictions, as a Parquet file: floats in it are exact.

    Args:
        table: Where the rows come from.
        features: The model's features.
        predict: From a frame to predictions, one column or several.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = min(ROWS, table.num_rows)
    rows = table.take(np.linspace(0, table.num_rows - 1, count).astype(np.int64)).select(list(features))
    predicted = np.atleast_2d(predict(to_frame(rows, features)).T)
    for index, column in enumerate(predicted):
        rows = rows.append_column(f"{PREDICTION}{index}", pa.array(column.astype(np.float64)))
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()


def replay(
    content: bytes, features: Mapping[str, str], predict: Predict, then: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Predict the golden rows again.

    Args:
        content: The file with the rows.
        features: The model's features.
        predict: The loaded model.
        then: The library versions that trained it.
        now: Those that predict.

    Raises:
        IntegrityError: A prediction differs; the reason says which, by how much, and which libraries changed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(io.BytesIO(content))
        names = [name for name in rows.column_names if name.startswith(PREDICTION)]
        expected = np.stack([rows.column(name).to_numpy() for name in names])
        found = np.atleast_2d(predict(to_frame(rows, features)).T)
    except (ModelyardError, pa.ArrowException, *_UNPREDICTABLE) as error:
        what = error.reason if isinstance(error, ModelyardError) else f"{type(error).__name__}: {error}"
        reason = f"the golden rows can't be predicted: {what} ({_changes(then, now)})"
        raise IntegrityError(reason) from error
    if found.shape != expected.shape:
        reason = f"the model predicts {found.shape[0]} columns where it predicted {expected.shape[0]}"
        raise IntegrityError(reason)
    far = ~np.isclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if far.any():
        column, row = np.argwhere(far)[0]
        was, is_now = expected[column, row], found[column, row]
        reason = (
            f"the model predicts {far.any(axis=0).sum()} of {far.shape[1]} golden rows differently: "
            f"row {row} was {was:.9g} and is {is_now:.9g} ({_changes(then, now)})"
        )
        raise IntegrityError(reason, "predict with the library versions that trained it, or train it again")


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if not names:
        return "with the same library versions"
    return ", ".join(f"{name} {then.get(name, 'none')} then, {now.get(name, 'none')} now" for name in names)
