"""The label rows of a training set: which count, whom they are about, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData
from modelyard.features.compile import known_of, rows_relation
from modelyard.features.engine import count_rows
from modelyard.features.feature_columns import entity_of
from modelyard.features.point_in_time import MOMENT, ROW
from modelyard.features.quoting import identifier, identifiers
from modelyard.features.sql import check_scalar
from modelyard.local_days import day_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.config.kinds import Source
    from modelyard.features.engine import Session, Value
    from modelyard.registry.run_spec import TrainingSetRequest

LABELS = "labels"
LABEL, TIME, WEIGHT, GROUP = "__label", "__time", "__weight", "__group"

_PARTS = 1_000_000
"""How finely entities are told apart where a sample is taken of them."""


@dataclass(frozen=True)
class LabelRows:
    """The SQL of a request's label rows."""

    request: TrainingSetRequest
    same_row: Sequence[str]
    """The features that are columns of the label's own row."""

    @property
    def source(self) -> Source:
        """The source of the labels."""
        return self.request.definition.sources[self.request.definition.document.data.labels.source]

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns besides entity and features, each with its SQL."""
        labels = self.request.definition.document.data.labels
        found = {LABEL: identifier(labels.label)}
        if labels.timestamp is not None:
            found[TIME] = self._time
        if labels.weight is not None:
            found[WEIGHT] = f"CAST({identifier(labels.weight)} AS DOUBLE)"
        if self.group is not None:
            found[GROUP] = identifier(self.group)
        return found

    @property
    def _time(self) -> str:
        return f"CAST({identifier(self.request.definition.document.data.labels.timestamp or '')} AS TIMESTAMPTZ)"

    @cached_property
    def group(self) -> str | None:
        """The column that rows are grouped by, where it is neither a feature nor of the entity.

        Raises:
            InvalidData: There are two.
        """
        document = self.request.definition.document
        splits = (document.data.split, document.evaluation.cross_validation)
        named = {split.group for split in splits if split is not None} - {None}
        others = sorted(str(name) for name in named - {*self.same_row, *entity_of(self.request.definition)})
        if len(others) > 1:
            reason = f"model `{document.name}`: the split and the folds are grouped by {' and '.join(others)}"
            raise InvalidData(reason, "group both by one column, or use one of them as a feature")
        return others[0] if others else None

    def make(self, session: Session) -> None:
        """Make the table of label rows, in their order: by time, entity, and place in the source.

        Raises:
            InvalidData: There are none.
        """
        session.create(LABELS, self._select(), self._bounds())
        if not count_rows(session, LABELS):
            reason = f"model `{self.request.definition.name}`: no row of `{self.source.name}` is a label that is known"
            asked = f"as of {self.request.as_of.isoformat()}, before {self.request.to}"
            raise InvalidData(reason, f"labels were asked for {asked}; look at `from`, `where`, `delay` and the sample")

    def _select(self) -> str:
        keys = entity_of(self.request.definition)
        moment = self.columns.get(TIME, "CAST($as_of AS TIMESTAMPTZ)")
        named = [f"{sql} AS {name}" for name, sql in {**self.columns, MOMENT: moment}.items()]
        columns = [*map(identifier, (*keys, *self.same_row)), *named, "row_number() OVER () AS __place"]
        rows = f"SELECT {', '.join(columns)} FROM {identifier(rows_relation(self.source.name))} WHERE {self._where()}"
        order = identifiers([*([TIME] if TIME in self.columns else []), *keys, "__place"])
        return f"SELECT * EXCLUDE (__place), row_number() OVER (ORDER BY {order}) AS {ROW} FROM ({rows})"

    def _where(self) -> str:
        data, source = self.request.definition.document.data, self.source
        conditions = [f"{identifier(data.labels.label)} IS NOT NULL"]
        if data.labels.timestamp is not None:
            conditions += [f"{self._time} < $to", f"{self._time} <= $known_by"]
            conditions += [f"{self._time} >= $from"] if data.from_ is not None else []
        if source.available is not None:
            conditions.append(f"{known_of(source)} <= CAST($as_of AS TIMESTAMPTZ)")
        if data.labels.where is not None:
            place = f"model `{self.request.definition.name}`, data.labels.where"
            conditions.append(check_scalar(data.labels.where, source.columns, place).sql)
        rows = " AND ".join(conditions)
        return rows if self.request.sample is None else f"{rows} AND {self._sampled()}"

    def _sampled(self) -> str:
        """Whether an entity is in the sample: the same ones each time, and all rows of each."""
        keys = entity_of(self.request.definition) or tuple(self.source.columns)
        text = ", ".join(f"coalesce(CAST({identifier(key)} AS VARCHAR), '')" for key in keys)
        return f"md5_number_lower(concat_ws(chr(31), {text})) % {_PARTS} < $sample"

    def _bounds(self) -> dict[str, Value]:
        """The bound values; a statement takes those that it names."""
        request, data = self.request, self.request.definition.document.data
        bounds: dict[str, Any] = {
            "as_of": request.as_of,
            "known_by": request.as_of - (data.labels.delay or timedelta(0)),
            "to": _start_of(request, request.to),
        }
        if data.from_ is not None:
            bounds["from"] = _start_of(request, data.from_)
        if request.sample is not None:
            bounds["sample"] = round(request.sample * _PARTS)
        return bounds


def _start_of(request: TrainingSetRequest, day: Any) -> datetime:
    return day_start(day, request.definition.timezone)
