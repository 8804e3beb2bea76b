from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidData
from modelyard.training.expressions import holds
from modelyard.training.rules import RuleClassifier, RuleRegressor

FRAME = pd.DataFrame(
    {
        "a": [1.0, 2.0, float("nan")],
        "b": [3.0, 1.0, 0.0],
        "c": pd.Series(["x", np.nan, "y"], dtype=object),
    }
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a < 2", [True, False, False]),
        ("a != 2", [True, False, False]),
        ("not a < 2", [False, True, True]),
        ("0 < a <= b", [True, False, False]),
        ("a is None", [False, False, True]),
        ("c is not None and b >= 0", [True, False, True]),
        ("c == 'x' or a == 2", [True, True, False]),
        ("c in ('x', 'z')", [True, False, False]),
        ("c not in ['x']", [False, False, True]),
        ("c > 'w'", [True, False, True]),
        ("a + b * 2 > 6.5", [True, False, False]),
        ("-a < -1.5", [False, True, False]),
        ("a / b > 0.5", [False, True, False]),
        ("b % 2 == 1", [True, True, False]),
        ("a in [1, 2]", [True, True, False]),
    ],
)
def test_conditions_hold_where_they_should(condition: str, expected: list[bool]) -> None:
    assert holds(condition, FRAME).tolist() == expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("a <", "can't be read"),
        ("a", "is a value, not a condition"),
        ("d < 1", "names the column `d`, which is not there"),
        ("c < 1", "compares a text with a number"),
        ("a and b", "`a` can't stand"),
        ("c + 1 > 2", "`c` can't stand"),
        ("c * 9 == 'x'", "`c` can't stand"),
        ("a ** 9 > 1", r"`a \*\* 9` can't stand"),
        ("a is 1", "`1` can't stand"),
        ("a in b", "`b` can't stand"),
        ("a < None", "`None` can't stand"),
        ("~a < 1", "`~a` can't stand"),
        ("__import__('os').system('true') == 0", "can't stand"),
        ("a.__class__ == 1", "`a.__class__` can't stand"),
        ("(lambda: True)()", "can't stand"),
        ("[x for x in a] == 1", "can't stand"),
        ("f'{a}' == 'x'", "can't stand"),
        ("a < 1j", "`1j` can't stand"),
        ("x" * 10_001, "10,001 characters"),
        ("a < " + "-" * 3000 + "1", "nested too deeply|can't be read"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(condition: str, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        holds(condition, FRAME)


@given(
    values=st.lists(st.one_of(st.integers(-3, 3), st.none()), min_size=1, max_size=20),
    low=st.integers(-3, 3),
    high=st.integers(-3, 3),
)
def test_conditions_agree_with_python_row_by_row(values: list[int | None], low: int, high: int) -> None:
    frame = pd.DataFrame({"a": pd.Series(values, dtype="float64")})
    condition = f"{low} <= a < {high} or (a is None and not a == {low})"
    expected = [value is None or low <= value < high for value in values]
    assert holds(condition, frame).tolist() == expected


RULES = [{"when": "a < 1.5", "then": "low"}, {"when": "b < 2", "then": "high"}]


def test_the_first_rule_that_holds_decides() -> None:
    model = RuleClassifier(RULES, otherwise="middle", class_names=["low", "middle", "high"]).fit(FRAME, [0, 2, 1])
    assert model.predict(FRAME).tolist() == [0, 2, 2]
    assert model.predict_proba(FRAME).sum(axis=1).tolist() == [1, 1, 1]
    assert model.predict(pd.DataFrame({"a": [9.0], "b": [9.0]})).tolist() == [1]


def test_classes_may_be_the_labels_themselves() -> None:
    model = RuleClassifier(RULES, otherwise="middle").fit(FRAME, ["low", "high", "middle"])
    assert model.predict(FRAME).tolist() == ["low", "high", "high"]


def test_an_outcome_may_be_a_probability_of_the_event() -> None:
    model = RuleClassifier([{"when": "a < 1.5", "then": 0.75}], otherwise=0, class_names=["no", "yes"])
    assert model.fit(FRAME, [0, 1, 1]).predict_proba(FRAME)[:, 1].tolist() == [0.75, 0, 0]


def test_a_class_without_rows_is_never_predicted() -> None:
    model = RuleClassifier(RULES, otherwise="middle", class_names=["low", "middle", "high"]).fit(FRAME, [0, 1, 1])
    assert model.predict_proba(FRAME).tolist() == [[1, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"when": "a < 1", "then": "huge"}], "`huge` is no class"),
        ([{"if": "a < 1", "then": "low"}], r"rules\[0\] is not"),
        ([{"when": "z < 1", "then": "low"}], "names the column `z`"),
        ([{"when": "a <", "then": "low"}], "can't be read"),
    ],
)
def test_wrong_rules_are_found_when_fitting(rules: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        RuleClassifier(rules, otherwise="low", class_names=["low", "high"]).fit(FRAME, [0, 1, 1])


def test_rules_can_say_numbers() -> None:
    model = RuleRegressor([{"when": "c == 'x'", "then": 7}], otherwise=-1.5).fit(FRAME, [1, 2, 3])
    assert model.predict(FRAME).tolist() == [7, -1.5, -1.5]
    with pytest.raises(InvalidData, match="is no number"):
        RuleRegressor([{"when": "a < 1", "then": "many"}], otherwise=0).fit(FRAME, [1, 2, 3])


def test_rules_need_names() -> None:
    matrix: Any = FRAME[["a"]].to_numpy()
    with pytest.raises(InvalidData, match="columns with names"):
        RuleRegressor([], otherwise=0).fit(FRAME, [1, 2, 3]).predict(matrix)
