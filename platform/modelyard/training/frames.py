"""The one way from a table to the frame that models see: in training, in batches and in the service.

Numbers and booleans are float64, so that a batch without a gap and one with a gap have the same type;
categories are strings; what is missing is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa


def to_frame(table: pa.Table, features: Mapping[str, str]) -> pd.DataFrame:
    """A table's features as the frame that models are fitted on and predict from.

    Args:
        table: Holds the features, in any order, and maybe more.
        features: Feature → number, category or boolean, in the order of the frame's columns.

    Raises:
        InvalidData: A feature is missing, or its values are of another kind.
    """
    import numpy as np
    import pandas as pd

    missing = [name for name in features if name not in table.column_names]
    if missing:
        reason = f"the features {', '.join(f'`{name}`' for name in missing)} are missing"
        raise InvalidData(reason, f"there are {', '.join(f'`{name}`' for name in table.column_names)}")
    # Numbers are one block: of many single columns, pandas needs milliseconds to make even a frame of one row.
    numbers = [name for name, kind in features.items() if kind != "category"]
    block = np.empty((table.num_rows, len(numbers)), order="F")
    for index, name in enumerate(numbers):
        block[:, index] = _values(table.column(name), name, features[name])
    frame = pd.DataFrame(block, columns=numbers, copy=False)
    for index, (name, kind) in enumerate(features.items()):
        if kind == "category":
            frame.insert(index, name, pd.Series(_values(table.column(name), name, kind), dtype=object, copy=False))
    return frame


def _values(column: pa.ChunkedArray, name: str, kind: str) -> npt.NDArray[Any]:
    import pyarrow as pa

    try:
        return _categories(column) if kind == "category" else _numbers(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = f"the feature `{name}` holds values that are no {kind}: {error}"
        raise InvalidData(reason) from error


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    # safe=False: an integer above 2^53 loses its last digits, as it does in every library that fits.
    numbers: npt.NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def _categories(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """Strings that share their objects: a category is built once, however many rows have it."""
    import numpy as np
    import pyarrow as pa

    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    distinct = np.array([*encoded.dictionary.to_pylist(), np.nan], dtype=object)
    codes = encoded.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)
    values: npt.NDArray[np.object_] = distinct[codes]
    return values
