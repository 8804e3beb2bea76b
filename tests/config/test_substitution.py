from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.substitution import (
    check_insertions,
    names_in,
    refuse_unset,
    substitute,
    unset_marker,
    unset_variables,
)
from modelyard.errors import InvalidData

NAMES: dict[str, Any] = {"text": "ke", "count": 3, "rate": 0.5, "on": True, "items": [1, {"a": 2}], "nothing": None}
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(lambda key: "$" not in key), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${count}", 3),
        ("${rate}", 0.5),
        ("${on}", True),
        ("${items}", [1, {"a": 2}]),
        ("${nothing}", None),
        ("a-${text}-${count}-${rate}-${on}", "a-ke-3-0.5-true"),
        ("$${text}", "${text}"),
        ("$$${text}", "$${text}"),
        ("$$", "$$"),
        ("$text", "$text"),
        ("${unknown}", "${unknown}"),
        ({"a": ["${count}", {"b": "${text}"}]}, {"a": [3, {"b": "ke"}]}),
        ({"${text}": 1}, {"${text}": 1}),
    ],
)
def test_a_name_is_inserted(value: Any, expected: Any) -> None:
    assert substitute(value, NAMES) == expected


@given(VALUES)
def test_without_names_nothing_changes_but_escapes(value: Any) -> None:
    if "$${" not in repr(value):
        assert substitute(value, {}) == value


@given(TEXT)
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    if "$" not in text:
        escaped = f"{text}$${{{text}}}"
        assert substitute(escaped, NAMES) == f"{text}${{{text}}}"


@given(TEXT, TEXT, TEXT)
def test_what_is_inserted_is_not_looked_at_again(before: str, value: str, after: str) -> None:
    if "$" not in before + after:
        assert substitute(f"{before}${{x}}{after}", {"x": f"{value}${{text}}", "text": "no"}) == (
            f"{before}{value}${{text}}{after}"
        )


@given(VALUES)
def test_what_no_check_complains_of_inserts_every_name(value: Any) -> None:
    if not list(check_insertions(value, NAMES)):
        assert names_in(value) <= NAMES.keys()


@pytest.mark.parametrize(
    ("value", "reason", "hint"),
    [
        ("${txt}", "there is no variable `txt`", "did you mean `text`?"),
        ("a ${text", "`${` is not closed", "write ${name}"),
        ("${Text}", "`${Text}` does not name a variable", "lower-case"),
        ("${}", "`${}` does not name a variable", "lower-case"),
        ("${env:HOME}", "`${env:HOME}` does not name a variable", "lower-case"),
        ("a ${items}", "the value of `items` is no text", "write just ${items}"),
        ("a ${nothing}", "the value of `nothing` is no text", "write just ${nothing}"),
    ],
)
def test_what_cannot_be_inserted_is_found_with_its_path(value: str, reason: str, hint: str) -> None:
    (finding,) = check_insertions({"a": ["x", value]}, NAMES)
    assert finding.path == ("a", 1)
    assert reason in finding.reason
    assert hint in finding.hint


def test_nothing_is_inserted_into_keys() -> None:
    (finding,) = check_insertions({"a": {"${text}": 1}}, NAMES)
    assert (finding.path, finding.at_key) == (("a", "${text}"), True)


def test_where_there_are_no_variables_the_hint_says_where_they_go() -> None:
    (finding,) = check_insertions("${data}", {})
    assert finding.hint == "declare it under `vars` in modelyard.yaml"


def test_a_value_that_waits_is_refused_by_the_name_of_its_environment_variable() -> None:
    path = f"{unset_marker('MODELYARD_DATA')}/a.parquet"
    assert unset_variables({"a": [path, 1]}) == {"MODELYARD_DATA"}
    refuse_unset("/data/a.parquet", "the source `loans`")
    with pytest.raises(InvalidData, match="the source `loans` needs the environment variable MODELYARD_DATA") as told:
        refuse_unset(path, "the source `loans`")
    assert told.value.hint.startswith("export MODELYARD_DATA=")
