from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.differences import ABSENT, FieldChange, differences

KEYS = st.sampled_from(["a", "b", "c d"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def found(old: Any, new: Any) -> list[str]:
    return [str(change) for change in differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 → 2"]),
        ({"a": 1}, {}, ["a: 1 → (not set)"]),
        ({}, {"a": "x"}, ['a: (not set) → "x"']),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a: [1, 2] → [1, 3]"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}, ["a[0].b: 1 → 2", 'a[1]: (not set) → {"b": 3}']),
        ({"./lib": 1}, {"./lib": 2}, ['["./lib"]: 1 → 2']),
        ({"a": 1}, {"a": True}, ["a: 1 → true"]),
        ({"a": "x\ny"}, {"a": "x\ny\nz"}, ["a: (text of 2 lines) → (text of 3 lines)"]),
        ({"a": "x" * 100}, {"a": "é"}, [f'a: "{"x" * 58}… → "é"']),
        ({"path": "/data/a"}, {"path": "${env:DATA}/a"}, []),
    ],
)
def test_a_change_is_one_line(old: Any, new: Any, changes: list[str]) -> None:
    assert found(old, new) == changes


@given(VALUES, VALUES)
def test_equal_values_and_only_they_have_no_differences(old: Any, new: Any) -> None:
    assert found(old, old) == []
    assert (found(old, new) == []) == (repr(in_order(old)) == repr(in_order(new)))


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(item) for item in value] if isinstance(value, list) else value


def test_what_is_absent_is_left_out_of_the_content() -> None:
    assert FieldChange("a", ABSENT, None).content() == {"path": "a", "new": None}
    assert FieldChange("a", 1).content() == {"path": "a", "old": 1}
