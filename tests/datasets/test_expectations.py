"""Audits give the answers of Great Expectations, in bounded memory, and name what is wrong with an expectation."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.config.kinds.source import Expectation
from modelyard.datasets import great_expectations
from modelyard.datasets.audit import audit
from modelyard.datasets.expectations import SUPPORTED, AuditResult, ExpectationResult
from modelyard.errors import InvalidData, MissingExtra

PLACE = "source `loans`"


class Table:
    """Rows of an Arrow table, a few at a time."""

    def __init__(self, table: pa.Table, batch: int = 100) -> None:
        self.columns: Sequence[str] = table.column_names
        self.read: list[Sequence[str]] = []
        self._table, self._batch = table, batch

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.read.append(columns)
        yield from self._table.select(columns).to_batches(max_chunksize=self._batch)


def expectation(expect: str, column: str | None = None, severity: str = "critical", **arguments: Any) -> Expectation:
    content = {"expect": expect, "severity": severity, "with": arguments}
    return Expectation.model_validate({**content, **({"column": column} if column else {})})


def one(table: pa.Table, wanted: Expectation) -> ExpectationResult:
    return audit([wanted], Table(table), PLACE).results[0]


LOANS = pa.table(
    {
        "amount": [1.0, 2.0, None] * 200,
        "market": ["ke", "gh", None] * 200,
        "grade": [1, 2, 7] * 200,
        "due": pa.array([1, 2, 3] * 200, pa.timestamp("us", "UTC")),
    }
)


def test_without_expectations_nothing_is_read_or_imported() -> None:
    table = Table(LOANS)
    assert audit([], table, PLACE) == AuditResult(PLACE)
    assert table.read == []
    code = "import sys, modelyard.datasets.audit; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("wanted", "holds", "words"),
    [
        (expectation("column_values_to_not_be_null", "amount"), False, "200 of 600 rows (33.33%) are unexpected"),
        (expectation("column_values_to_not_be_null", "amount", mostly=0.66), True, "holds"),
        (expectation("column_values_to_not_be_null", "amount", mostly=0.67), False, "200 of 600"),
        (expectation("column_values_to_be_in_set", "grade", value_set=[1, 2]), False, "such as 7"),
        (expectation("column_values_to_be_in_set", "market", value_set=["ke", "gh"]), True, "holds"),
        (expectation("column_values_to_match_regex", "market", regex="^k"), False, "such as gh"),
        (expectation("column_values_to_be_between", "grade", min_value=1, max_value=7), True, "holds"),
        (expectation("column_pair_values_a_to_be_greater_than_b", column_A="grade", column_B="amount"), False, "1)"),
        (expectation("multicolumn_sum_to_equal", column_list=["grade", "amount"], sum_total=2), False, "grade: 2"),
        (expectation("table_row_count_to_equal", value=600), True, "holds"),
        (expectation("table_row_count_to_be_between", min_value=601), False, "found 600 rows"),
        (expectation("table_columns_to_match_set", column_set=["amount"]), False, "does not hold"),
        (expectation("column_to_exist", "amount"), True, "holds"),
        (expectation("column_to_exist", "amounts"), False, "does not hold"),
        (expectation("column_values_to_be_unique", "grade"), False, "600 of 600"),
        (expectation("column_mean_to_be_between", "amount", min_value=2), False, "found 1.5"),
        (expectation("column_distinct_values_to_be_in_set", "market", value_set=["ke"]), False, "found gh"),
    ],
)  # fmt: skip
def test_what_holds_and_what_does_not(wanted: Expectation, holds: bool, words: str) -> None:
    result = one(LOANS, wanted)
    assert result.success is holds
    assert words in result.words


def test_only_the_columns_that_are_named_are_read_and_rows_are_read_once() -> None:
    table = Table(LOANS)
    audit(
        [expectation("column_values_to_not_be_null", "amount"), expectation("column_values_to_not_be_null", "grade"),
         expectation("table_row_count_to_equal", value=600)],
        table, PLACE,
    )  # fmt: skip
    assert table.read == [["amount", "grade"]]


@given(st.lists(st.none() | st.integers(0, 5), max_size=40), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
@settings(max_examples=25)
def test_batches_have_the_answer_of_the_whole(values: list[int | None], mostly: float) -> None:
    table = pa.table({"grade": pa.array(values, pa.int64())})
    wanted = [expectation("column_values_to_be_in_set", "grade", value_set=[0, 1, 2], mostly=mostly)]
    with pytest.MonkeyPatch.context() as patch:
        whole = audit(wanted, Table(table, 1000), PLACE)
        patch.setattr(great_expectations, "_ROWS_AT_A_TIME", 7)
        batches = audit(wanted, Table(table, 7), PLACE)
    there = [value for value in values if value is not None]
    right = sum(value <= 2 for value in there)
    # A batch is asked for its own samples, so that more of them may differ.
    assert set(batches.results[0].samples) >= set(whole.results[0].samples)
    assert replace(batches.results[0], samples=()) == replace(whole.results[0], samples=())
    assert batches.success is (not there or right / len(there) >= mostly)
    assert batches.results[0].unexpected == len(there) - right if values else True


def test_no_rows_are_no_reason_to_complain() -> None:
    result = audit([expectation("column_values_to_not_be_null", "amount")], Table(LOANS.slice(0, 0)), PLACE)
    assert result.success


def test_whole_columns_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(great_expectations, "MOST_VALUES", 500)
    with pytest.raises(InvalidData, match="needs all values in memory") as caught:
        one(LOANS, expectation("column_values_to_be_unique", "grade"))
    assert "column_values_to_be_between" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "reason", "hint"),
    [
        (expectation("column_values_to_not_be_nul", "amount"), "no expectation `column_values_to_not_be_nul`",
         "did you mean `column_values_to_not_be_null`"),
        (expectation("column_values_to_match_json_schema", "amount"), "no expectation", "did you mean"),
        (expectation("column_values_to_be_in_set", "grade", valueset=[1]), "takes no `valueset`", "`value_set`"),
        (expectation("column_values_to_be_in_set", "grade", value_set=[1], row_condition="1"), "takes no `row_con", ""),
        (expectation("column_values_to_be_in_set", "grad", value_set=[1]), "names the column `grad`", "`grade`"),
        (expectation("column_values_to_be_in_set", "grade"), "`value_set`: field required", ""),
        (expectation("column_values_to_be_between", "grade"), "cannot both be None", ""),
        (expectation("column_values_to_be_between", "market", min_value=1), "of `market` cannot be judged", "type"),
        (expectation("column_values_to_match_regex", "market", regex="("), "cannot be judged", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_expectation_is_named(wanted: Expectation, reason: str, hint: str) -> None:
    with pytest.raises(InvalidData) as caught:
        one(LOANS, wanted)
    assert PLACE in caught.value.reason
    assert reason in caught.value.reason
    assert hint in caught.value.hint


def test_every_supported_expectation_is_one_of_great_expectations() -> None:
    library = great_expectations._library()
    assert [name for name in SUPPORTED if not hasattr(library.expectations, great_expectations._class_name(name))] == []


def test_critical_failures_stop_the_work_and_warnings_are_reported() -> None:
    result = audit(
        [expectation("column_values_to_be_in_set", "grade", "warning", value_set=[1, 2]),
         expectation("column_values_to_not_be_null", "market", "info")],
        Table(LOANS), PLACE,
    )  # fmt: skip
    result.raise_for_critical()
    assert not result.success
    assert [failure.column for failure in result.failures("warning")] == ["grade"]
    assert result.content()["results"][0] == {
        "expect": "column_values_to_be_in_set", "column": "grade", "severity": "warning", "success": False, "rows": 600,
        "unexpected": 200, "samples": ["7"], "observed": None,
        "words": result.results[0].words,
    }  # fmt: skip
    critical = audit([expectation("column_values_to_not_be_null", "market")], Table(LOANS), PLACE)
    with pytest.raises(InvalidData, match=r"source `loans` is not as expected: .*200 of 600 rows"):
        critical.raise_for_critical()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    great_expectations._library.cache_clear()
    with pytest.raises(MissingExtra, match="`expectations`"):
        one(LOANS, expectation("column_to_exist", "amount"))
    great_expectations._library.cache_clear()
