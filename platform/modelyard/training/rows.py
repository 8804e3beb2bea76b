"""A training set in memory, as fitting and judging need it: the frame, the encoded label, times, weights, groups.

Classes are codes from 0 on, whatever their labels are: some libraries take nothing else. Their names are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.config.kinds.base import as_keys
from modelyard.config.problems import repeated
from modelyard.errors import InvalidData
from modelyard.training.fetching import local_file
from modelyard.training.frames import to_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from modelyard.config.kinds.model import Labels, Task
    from modelyard.training.tasks import TrainTask


@dataclass(frozen=True)
class Rows:
    """The rows of a training set."""

    table: pa.Table
    """As it was read."""
    roles: Mapping[str, Any]
    """What each of its columns is."""
    frame: pd.DataFrame
    """The features, as models see them."""
    label: npt.NDArray[Any]
    """Class codes, or numbers."""
    classes: tuple[str, ...]
    """The names of the classes, by code; empty in regression."""
    weight: npt.NDArray[np.float64] | None
    time: npt.NDArray[np.datetime64] | None
    """UTC."""

    @property
    def features(self) -> dict[str, str]:
        """Feature → number, category or boolean."""
        return dict(self.roles["features"])

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that say whom a row is about."""
        return as_keys(tuple(self.roles["entity"]))

    def groups(self, column: str | None) -> npt.NDArray[np.intp]:
        """A number for each row, equal where a column is equal.

        Args:
            column: The column; the entity unless said.

        Raises:
            InvalidData: There is no such column.
        """
        names = self.entity if column is None else (column if column in self.table.column_names else "__group",)
        if not names or any(name not in self.table.column_names for name in names):
            reason = f"there is no column `{column}` to group by" if column else "there is no entity to group by"
            raise InvalidData(reason, "name a column of the labels under `group`")
        codes = np.zeros(self.table.num_rows, dtype=np.intp)
        for name in names:
            own = self.table.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
            codes = codes * len(own.dictionary) + own.indices.to_numpy(zero_copy_only=False)
        return np.unique(codes, return_inverse=True)[1]


def read_rows(task: TrainTask, folder: Path) -> Rows:
    """The training set of a run.

    Args:
        task: The run's task.
        folder: Where files go that are not on this machine; the run's own, and made for it.

    Raises:
        InvalidData: It is empty, or its label or a feature is not what the definition says.
        IntegrityError: A file is not what was published.
        Unavailable: A file's store does not answer, or its URL does not open it any more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    document = task.spec.definition.document
    table = pa.concat_tables([pq.read_table(local_file(file, folder)) for file in task.files])
    if not table.num_rows:
        reason = "the training set has no rows"
        raise InvalidData(reason, "look at `from`, `where` and `delay` of the labels, and at the day of the run")
    label, classes = encode_labels(table.column(task.roles["label"]), document.data.labels, document.task)
    weight, time = (_optional(table, task.roles.get(role)) for role in ("weight", "time"))
    return Rows(
        table=table,
        roles=task.roles,
        frame=to_frame(table, task.roles["features"]),
        label=label,
        classes=classes,
        weight=None if weight is None else _checked_weights(weight.to_numpy().astype(np.float64)),
        time=None if time is None else time.cast(pa.timestamp("us")).to_numpy(),
    )


def encode_labels(column: pa.ChunkedArray, labels: Labels, task: Task) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Labels as numbers or class codes, and the classes' names by code.

    Args:
        column: The labels, as the source has them.
        labels: How the definition describes them.
        task: What is predicted.

    Raises:
        InvalidData: They are not what the task needs.
    """
    import pyarrow as pa

    if task == "regression":
        try:
            numbers = column.cast(pa.float64(), safe=False).to_numpy()
        except pa.ArrowInvalid as error:
            reason = f"the label `{labels.label}` is no number: {error}"
            raise InvalidData(reason, "classes are for task: multiclass_classification") from error
        if endless := np.count_nonzero(~np.isfinite(numbers)):
            reason = f"the label `{labels.label}` is infinite or NaN in {endless:,} rows"
            raise InvalidData(reason, 'leave them out with data.labels.where, as "isfinite(amount)"')
        return numbers, ()
    encoded = column.combine_chunks().dictionary_encode()
    values, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
    if len(values) < 2:  # noqa: PLR2004 - there is nothing to tell apart
        reason = f"the label `{labels.label}` has the same value, `{_name(values[0])}`, in every row"
        raise InvalidData(reason, "look at `where` and at the period of the labels")
    if task == "binary_classification":
        positive = _positive(values, labels)
        is_event = np.array([value == positive for value in values])
        others = [_name(value) for value in values if value != positive]
        return is_event.astype(np.int64)[codes], (others[0] if len(others) == 1 else "other", _name(positive))
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranks = np.argsort(order)
    names = tuple(labels.classes.get(_name(values[index]), _name(values[index])) for index in order)
    if shared := repeated(names):
        reason = f"several values of `{labels.label}` are classes of the name `{shared[0]}`"
        raise InvalidData(reason, "give each a name of its own in data.labels.classes")
    return ranks.astype(np.int64)[codes], names


def _positive(values: Sequence[Any], labels: Labels) -> Any:
    """The label that counts as the event: the one that is named, or the greater one of false/true and 0/1."""
    if labels.positive is None:
        if set(values) == {0, 1}:
            return max(values)
        reason = f"the label `{labels.label}` has the values {_listed(values)}, and none is named as the event"
        raise InvalidData(reason, "set data.labels.positive")
    found = [value for value in values if value == labels.positive]
    if not found:
        reason = f"no row has `{labels.positive!r}` in `{labels.label}`; its values are {_listed(values)}"
        raise InvalidData(reason, "set data.labels.positive to one of them")
    return found[0]


def _listed(values: Sequence[Any]) -> str:
    shown = sorted(values, key=str)[:10]
    return ", ".join(f"`{value!r}`" for value in shown) + (", …" if len(values) > len(shown) else "")


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _optional(table: pa.Table, name: str | None) -> pa.ChunkedArray | None:
    return None if name is None else table.column(name)


def _checked_weights(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        reason = "weights must be numbers of zero and up, not all zero, and none missing"
        raise InvalidData(reason, "leave such rows out with `where`")
    return weight
