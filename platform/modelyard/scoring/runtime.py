"""A version that answers requests: rows of JSON in, predictions as JSON out.

It knows no HTTP, and what it answers with never changes while a request is worked on: a new version is a new object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.scoring import predictions
from modelyard.scoring.schema import Fault, InvalidRows, Schema
from modelyard.training.frames import to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt
    import pyarrow as pa

    from modelyard.config.kinds.model import Task
    from modelyard.scoring.lookup import Lookup, PinnedSet, Snapshot
    from modelyard.training.storage.stored import StoredModel

    Entry = dict[str, Any]
    """The answer for one row, as JSON."""

ROWS_AT_ONCE = 8192
"""Rows that are turned into a frame together: enough for the model's own speed, and little memory."""


@dataclass(frozen=True)
class Runtime:
    """A loaded version.

    Args:
        model: The model's name.
        version: The version's number.
        stored: What predicts.
        lookup: Where the features of entities are found.
        team: The team that owns the model, as of when it was loaded.
    """

    model: str
    version: int
    stored: StoredModel
    lookup: Lookup
    team: str = ""

    @property
    def task(self) -> Task:
        """What it predicts."""
        return self.stored.manifest.task

    @property
    def features(self) -> Mapping[str, str]:
        """The kind of each feature, in the model's order."""
        return self.stored.features

    @property
    def pinned(self) -> Sequence[PinnedSet]:
        """The feature sets whose partitions it looks entities up in."""
        return () if self.lookup.refusal else self.lookup.pinned

    def describe(self) -> dict[str, Any]:
        """What a caller needs to know of it, as JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "task": self.task,
            "features": dict(self.features),
            "entity": list(self.lookup.keys),
            "classes": list(self.stored.classes) if self.task == "multiclass_classification" else [],
        }

    def answer(self, by: Literal["entities", "features"], rows: Sequence[Any], now: datetime) -> dict[str, Any]:
        """The whole answer to a request, as JSON.

        Args:
            by: Whether rows are entities or features.
            rows: JSON values, to be checked.
            now: The time, which says how old looked-up features are.

        Raises:
            InvalidRows: A row is not what the model takes, or the model can't predict for it.
            Unavailable: A feature set has no partition that is young enough.
        """
        head: dict[str, Any] = {"model": self.model, "version": self.version}
        if by == "features":
            return {**head, "predictions": self._chunked(rows, self._by_features)}
        if self.lookup.refusal:
            raise InvalidRows([Fault("entities", self.lookup.refusal, 'send {"features": [{...}]}')])
        snapshot = self.lookup.at(now)
        scored = self._chunked(rows, lambda chunk, start: self._by_entities(chunk, start, snapshot))
        return {**head, "feature_sets": snapshot.used, "predictions": scored}

    def _chunked(self, rows: Sequence[Any], score: Callable[[Sequence[Any], int], list[Entry]]) -> list[Entry]:
        starts = range(0, len(rows), ROWS_AT_ONCE)
        return [entry for start in starts for entry in score(rows[start : start + ROWS_AT_ONCE], start)]

    def _by_features(self, rows: Sequence[Any], start: int) -> list[Entry]:
        columns = Schema("features", self.features).columns(rows, start)
        return self._predicted(_as_table(columns, self.features), lambda row: f"features[{start + row}]")

    def _by_entities(self, rows: Sequence[Any], start: int, snapshot: Snapshot) -> list[Entry]:
        keys = Schema("entities", self.lookup.keys).columns(rows, start)
        table, found = snapshot.find(keys)
        positions = np.flatnonzero(found)
        scored = iter(self._predicted(table.take(positions), lambda row: f"entities[{start + positions[row]}]"))
        # An entity that no set knows is more often a wrong key than a new customer: it gets no prediction.
        return [
            {"entity": row, "found": True, **next(scored)}
            if is_found
            else {"entity": row, "found": False, "prediction": None}
            for row, is_found in zip(rows, found.tolist(), strict=True)
        ]

    def _predicted(self, table: pa.Table, place: Callable[[int], str]) -> list[Entry]:
        """Predictions for a table of features.

        Args:
            table: The features.
            place: What a row of it is called in the request, for messages.
        """
        if not table.num_rows:
            return []
        try:
            with np.errstate(all="ignore"):  # what comes of an overflow is told below, row and all
                predicted = self.stored.predict(to_frame(table, self.features))
        except (ValueError, TypeError) as error:
            # Libraries refuse values in their own words: a null without an imputer, a number beyond 32 bits.
            at = place(0) if table.num_rows == 1 else f"{place(0)} or a later row"
            raise InvalidRows([Fault(at, f"can't be scored by `{self.model}`: {error}")]) from error
        if fault := predictions.fault(self.task, predicted):
            row, reason = fault
            raise InvalidRows([Fault(place(row), f"can't be scored by `{self.model}`: {reason}")])
        return self._entries(predicted)

    def _entries(self, predicted: npt.NDArray[np.float64]) -> list[Entry]:
        if self.task != "multiclass_classification":
            return [{"prediction": value} for value in predicted.tolist()]
        classes = self.stored.classes
        chosen = np.argmax(predicted, axis=1).tolist()
        return [
            {"prediction": classes[best], "probabilities": dict(zip(classes, row, strict=True))}
            for best, row in zip(chosen, predicted.tolist(), strict=True)
        ]


def _as_table(columns: Mapping[str, list[Any]], kinds: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    # NumPy, unlike Arrow, rounds a whole number beyond 2^53, as models do with every number.
    return pa.table({
        name: pa.array(values, pa.string()) if kinds[name] == "category" else np.array(values, dtype=np.float64)
        for name, values in columns.items()
    })  # fmt: skip
