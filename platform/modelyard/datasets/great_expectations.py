"""Great Expectations as the judge of rows: the only file that imports it, and only where it is used.

Rows come in batches; see `modelyard.datasets.expectations` for what is judged by which part of them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from modelyard.datasets.expectations import (
    MOST_VALUES,
    OF_THE_COLUMNS,
    OF_THE_COUNT,
    ROW_BY_ROW,
    SUPPORTED,
    ExpectationResult,
    Rows,
)
from modelyard.errors import InvalidData, MissingExtra
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd
    import pyarrow as pa
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation as Judge

    from modelyard.config.kinds.source import Expectation

_ROWS_AT_A_TIME = 1 << 18
"""Judging a batch costs some 20 ms whatever its size; this many rows take longer than that."""

_SAMPLES = 5

_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
_ARGUMENTS_OF_ALL = frozenset({
    "batch_id", "catch_exceptions", "condition_parser", "description", "id", "library_metadata", "meta", "notes",
    "rendered_content", "result_format", "row_condition", "severity", "windows",
})  # fmt: skip
"""Arguments of every expectation: how it is run and shown, which is not the config's to say."""


@dataclass
class _Tally:
    """The counts of an expectation that is judged row by row, batch after batch."""

    rows: int = 0
    missing: int = 0
    unexpected: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, result: dict[str, Any]) -> None:
        self.rows += result["element_count"]
        self.missing += result.get("missing_count") or 0
        self.unexpected += result["unexpected_count"]
        self.samples = list(dict.fromkeys([*self.samples, *_samples(result)]))[:_SAMPLES]

    def holds(self, mostly: float) -> bool:
        """As Great Expectations decides: of the values that are there, at least `mostly` are as expected."""
        judged = self.rows - self.missing
        return judged == 0 or (judged - self.unexpected) / judged >= mostly


def judge(expectations: Sequence[Expectation], rows: Rows, place: str) -> Iterator[ExpectationResult]:
    """Judge rows by expectations; see `modelyard.datasets.audit`."""
    judges = [_judge_of(one, rows, f"{place}, expectation {index + 1}") for index, one in enumerate(expectations)]
    by_row = [judge for one, judge in zip(expectations, judges, strict=True) if one.expect in ROW_BY_ROW]
    counts = any(one.expect in OF_THE_COUNT for one in expectations)
    tallies, total = _tally(by_row, rows, place) if by_row or counts else ({}, 0)
    for one, judge in zip(expectations, judges, strict=True):
        if one.expect in ROW_BY_ROW:
            tally = tallies[id(judge)]
            yield _result(
                one,
                success=tally.holds(judge.configuration.kwargs.get("mostly", 1)),
                rows=tally.rows,
                unexpected=tally.unexpected,
                samples=tuple(tally.samples),
            )
        elif one.expect in OF_THE_COUNT:
            verdict = judge._validate(metrics={"table.row_count": total})
            yield _result(one, success=bool(verdict["success"]), observed=f"{total:,} rows")
        else:
            yield _of_a_frame(one, judge, rows, place)


def _tally(judges: Sequence[Judge], rows: Rows, place: str) -> tuple[dict[int, _Tally], int]:
    """One pass over the rows for everything that is judged row by row, and the number of rows."""
    tallies = {id(judge): _Tally() for judge in judges}
    columns = sorted({column for judge in judges for column in _columns_of(judge)}) or list(rows.columns[:1])
    total = 0
    for frame in _frames(rows, columns):
        total += len(frame)
        for judge, result in zip(judges, _validate(judges, frame, place), strict=True):
            tallies[id(judge)].add(result["result"])
    return tallies, total


def _of_a_frame(one: Expectation, judge: Judge, rows: Rows, place: str) -> ExpectationResult:
    """Judge by the columns' names alone, or by all values of the expectation's columns."""
    frame = _no_rows(rows.columns) if one.expect in OF_THE_COLUMNS else _whole(one, _columns_of(judge), rows, place)
    verdict = _validate([judge], frame, place)[0]
    found = verdict["result"]
    judged = "element_count" in found
    return _result(
        one,
        success=bool(verdict["success"]),
        rows=found["element_count"] if judged else None,
        unexpected=found["unexpected_count"] if judged else None,
        samples=tuple(dict.fromkeys(_samples(found))),
        observed=_observed(found),
    )


def _whole(one: Expectation, columns: Sequence[str], rows: Rows, place: str) -> pd.DataFrame:
    import pandas as pd

    frames: list[pd.DataFrame] = []
    values = 0
    for frame in _frames(rows, columns):
        values += frame.size
        if values > MOST_VALUES:
            reason = f"{place}: {one.expect} needs all values in memory, and there are more than {MOST_VALUES:,}"
            raise InvalidData(reason, f"use one that judges rows: {', '.join(sorted(ROW_BY_ROW))}")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else _no_rows(columns)


def _no_rows(columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({column: [] for column in columns})


def _frames(rows: Rows, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in rows.batches(columns):
        waiting.append(batch)
        if sum(len(one) for one in waiting) >= _ROWS_AT_A_TIME:
            yield pa.Table.from_batches(waiting).to_pandas()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).to_pandas()


def _validate(judges: Sequence[Judge], frame: pd.DataFrame, place: str) -> list[dict[str, Any]]:
    """What Great Expectations says of a frame, a result for each judge."""
    if not judges:
        return []
    batch = _any_frame().get_batch(batch_parameters={"dataframe": frame})
    form = {"result_format": "BASIC", "partial_unexpected_count": _SAMPLES}
    return [_sound(batch.validate(judge, result_format=form).to_json_dict(), place) for judge in judges]


def _sound(result: dict[str, Any], place: str) -> dict[str, Any]:
    """The result, if the expectation could be judged at all.

    Raises:
        InvalidData: It could not, such as a comparison of text with a number.
    """
    trouble = result["exception_info"]
    entries: Iterable[dict[str, Any]] = [trouble] if "raised_exception" in trouble else trouble.values()
    messages = [str(entry["exception_message"]) for entry in entries if entry["raised_exception"]]
    if messages:
        config = result["expectation_config"]
        name = " of ".join([config["type"].removeprefix("expect_"), *_column_of(config["kwargs"])])
        reason = f"{place}: {name} cannot be judged: {messages[0]}"
        raise InvalidData(reason, "compare its arguments with the column's type")
    return result


def _column_of(arguments: dict[str, Any]) -> list[str]:
    return [f"`{arguments['column']}`"] if "column" in arguments else []


def _judge_of(one: Expectation, rows: Rows, place: str) -> Judge:
    """The expectation as Great Expectations has it.

    Raises:
        InvalidData: It is unknown, has wrong arguments, or names an unknown column.
    """
    if one.expect not in SUPPORTED:
        reason = f"{place}: there is no expectation `{one.expect}`"
        raise InvalidData(reason, near_miss(one.expect, SUPPORTED))
    judge_class = getattr(_library().expectations, _class_name(one.expect))
    known = set(judge_class.__fields__) - _ARGUMENTS_OF_ALL
    arguments = {**({"column": one.column} if one.column is not None else {}), **one.with_}
    for name in arguments:
        if name not in known:
            reason = f"{place}: {one.expect} takes no `{name}`"
            raise InvalidData(reason, near_miss(name, known, what="its arguments"))
    judge = _made(judge_class, arguments, f"{place}: {one.expect}")
    for column in _columns_of(judge):
        if column not in rows.columns and one.expect not in OF_THE_COLUMNS:
            reason = f"{place}: {one.expect} names the column `{column}`, which is not there"
            raise InvalidData(reason, near_miss(column, rows.columns))
    return judge


def _made(judge_class: type[Judge], arguments: dict[str, Any], place: str) -> Judge:
    try:
        return judge_class(**arguments)
    except (TypeError, ValueError) as error:  # pydantic's own error is a ValueError
        problems: list[Any] = error.errors() if hasattr(error, "errors") else [{"loc": (), "msg": str(error)}]
        words = [
            " ".join([*(f"`{part}`:" for part in problem["loc"] if part != "__root__"), problem["msg"]])
            for problem in problems
        ]
        reason = f"{place} has wrong arguments: {'; '.join(words)}"
        raise InvalidData(reason, "its arguments are those that Great Expectations documents") from error


def _columns_of(judge: Judge) -> list[str]:
    found: list[str] = []
    for name in _COLUMN_ARGUMENTS:
        value = getattr(judge, name, None)
        found += [value] if isinstance(value, str) else list(value or ())
    return list(dict.fromkeys(found))


def _class_name(expect: str) -> str:
    words = "".join(word.capitalize() for word in expect.split("_"))
    return f"Expect{words}"


def _result(one: Expectation, *, success: bool, **facts: Any) -> ExpectationResult:
    empty: dict[str, Any] = {"rows": None, "unexpected": None, "samples": (), "observed": None}
    return ExpectationResult(
        expect=one.expect, column=one.column, severity=one.severity, success=success, **{**empty, **facts}
    )


def _samples(found: dict[str, Any]) -> list[str]:
    return [_plain(value) for value in found.get("partial_unexpected_list", ()) if value is not None]


def _observed(found: dict[str, Any]) -> str | None:
    value = found.get("observed_value")
    return None if value is None else _plain(value)


def _plain(value: object) -> str:
    """A value for people: whole numbers without the `.0` that a column with nulls gives them."""
    if isinstance(value, (list, tuple)):
        return f"({', '.join(_plain(one) for one in value)})"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() else repr(float(value))
    return str(value)


@cache
def _library() -> Any:
    extra = "expectations"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own imports, which nobody here can mend
            import great_expectations
            import great_expectations.expectations
    except ModuleNotFoundError as error:
        raise MissingExtra(extra, "a check of expectations") from error
    return great_expectations


@cache
def _any_frame() -> BatchDefinition[Any]:
    """Whatever frame is given to it, judged in memory: nothing is stored, shown or reported to anyone."""
    library = _library()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = library.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batches: BatchDefinition[Any] = asset.add_batch_definition_whole_dataframe("rows")
    return batches
