"""Rows of requests become columns, or errors that name every place."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.scoring.schema import FAULTS_TOLD, InvalidRows, Schema

FEATURES = Schema("features", {"amount": "number", "channel": "category", "repeat": "boolean"})
KEYS = Schema("entities", {"borrower_id": "string", "branch": "integer"})
OUT_OF_RANGE = "is a whole number out of range; a whole number is due"
ROW = {"amount": 1.5, "channel": "ussd", "repeat": True}


def faults(schema: Schema, rows: list[Any], start: int = 0) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidRows) as caught:
        schema.columns(rows, start)
    return [(fault.at, fault.reason, fault.hint) for fault in caught.value.faults]


def test_columns_come_in_the_schemas_order() -> None:
    rows = [{"repeat": None, "amount": 2, "channel": "app"}, ROW]
    columns = FEATURES.columns(rows)
    assert list(columns.items()) == [("amount", [2, 1.5]), ("channel", ["app", "ussd"]), ("repeat", [None, True])]


def test_no_rows_are_empty_columns() -> None:
    assert FEATURES.columns([]) == {"amount": [], "channel": [], "repeat": []}


def test_an_unknown_name_and_the_absent_one_explain_each_other() -> None:
    assert faults(FEATURES, [ROW, {"amuont": 1, "channel": None, "repeat": False}]) == [
        ("features[1].amuont", "is unknown", "did you mean `amount`?"),
        ("features[1].amount", "is absent", "rename `amuont`"),
    ]


def test_names_that_are_like_nothing_are_told_with_what_is_due() -> None:
    assert faults(FEATURES, [{**ROW, "zzzz": 1}, {"amount": 1, "channel": "x"}], start=7) == [
        ("features[7].zzzz", "is unknown", "rows have `amount`, `channel`, `repeat`"),
        ("features[8].repeat", "is absent", "say null where the value is not known"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("amount", "12", "is a string; a number or null is due"),
        ("amount", True, "is a boolean; a number or null is due"),
        ("amount", 10**400, "is a whole number out of range; a number or null is due"),
        ("amount", math.inf, "is a number out of range; a number or null is due"),
        ("amount", [1], "is a list; a number or null is due"),
        ("channel", 3, "is a whole number; a string or null is due"),
        ("channel", {"a": 1}, "is an object; a string or null is due"),
        ("repeat", 0, "is a whole number; true, false or null is due"),
    ],
)
def test_values_of_another_kind_are_refused(field: str, value: Any, reason: str) -> None:
    assert faults(FEATURES, [{**ROW, field: value}]) == [(f"features[0].{field}", reason, "")]


@pytest.mark.parametrize(
    ("row", "at", "reason"),
    [
        ({"borrower_id": None, "branch": 1}, "entities[0].borrower_id", "is null; a string is due"),
        ({"borrower_id": "b", "branch": 1.0}, "entities[0].branch", "is a number; a whole number is due"),
        ({"borrower_id": "b", "branch": 1 << 63}, "entities[0].branch", OUT_OF_RANGE),
        (7, "entities[0]", "is a whole number; an object with `borrower_id`, `branch` is due"),
    ],
)  # fmt: skip
def test_keys_are_said_exactly(row: Any, at: str, reason: str) -> None:
    assert faults(KEYS, [row])[0][:2] == (at, reason)


def test_only_the_first_faults_are_told_and_long_names_are_cut() -> None:
    found = faults(FEATURES, [{**ROW, "x" * 1_000_000: 1, **{str(n): n for n in range(100_000)}}] * 100)
    assert len(found) == FAULTS_TOLD
    assert max(len(at) for at, _, _ in found) < 100


def test_many_features_are_told_shortly() -> None:
    wide = Schema("features", {f"f{n}": "number" for n in range(36)})
    assert faults(wide, [None])[0][1] == "is null; an object with `f0`, `f1`, `f2`, `f3`, `f4` and 31 more is due"


def test_the_error_survives_its_way_between_processes() -> None:
    with pytest.raises(InvalidRows) as caught:
        FEATURES.columns([{}])
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (str(again), again.faults) == (str(caught.value), caught.value.faults)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(ROW)), inner),
    max_leaves=8,
)
GOOD = {
    "amount": st.none() | st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False),
    "channel": st.none() | st.text(),
    "repeat": st.none() | st.booleans(),
}


@given(st.lists(st.fixed_dictionaries(GOOD), max_size=5))
def test_every_row_of_the_right_kinds_is_taken_as_it_is(rows: list[dict[str, Any]]) -> None:
    columns = FEATURES.columns(rows)
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == rows


@given(st.lists(JSON | st.fixed_dictionaries(dict.fromkeys(ROW, JSON)), max_size=4))
def test_anything_is_taken_or_refused_with_its_place(rows: list[Any]) -> None:
    try:
        FEATURES.columns(rows)
    except InvalidRows as error:
        told = error.faults
    else:
        return
    assert 0 < len(told) <= FAULTS_TOLD
    assert all(fault.at.startswith("features[") for fault in told)
    json.dumps([fault.reason for fault in told])
