"""Hints for names that are not known."""

from __future__ import annotations

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.near_miss import LEAST_ALIKE, lookalikes, near_miss

NAMES = st.text(st.characters(codec="ascii"), max_size=10)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lern_rate", ["learning_rate", "seed"], "did you mean `learning_rate`?"),
        ("binary", ["binary_classification", "regression"], "did you mean `binary_classification`?"),
        ("Limit_bal", ["LIMIT_BAL"], "did you mean `LIMIT_BAL`?"),
        ("ab", ["aa", "bb"], "there are: aa, bb"),
        ("x", [], "there is none to name"),
        ("x", [f"name{n:02}" for n in range(14)], ": name00,"),
        ("x", [f"name{n:02}" for n in range(14)], " and 2 more"),
        ("loan_ke", ["loan_k1", "loan_k2"], "did you mean `loan_k1` or `loan_k2`?"),
    ],
)
def test_a_hint_names_what_looks_alike(name: str, known: list[str], hint: str) -> None:
    assert hint in near_miss(name, known)


@given(NAMES, st.lists(NAMES))
def test_a_hint_is_never_empty(name: str, known: list[str]) -> None:
    assert near_miss(name, known)


def test_other_words_may_stand_for_the_list() -> None:
    assert near_miss("x", ["apple"], otherwise="") == ""
    assert near_miss("aple", ["apple"], otherwise="none") == "did you mean `apple`?"


@given(NAMES, st.lists(NAMES, unique_by=str.lower))
def test_the_likest_is_the_first(name: str, known: list[str]) -> None:
    likest = max((SequenceMatcher(None, one.lower(), name.lower()).ratio() for one in known), default=0.0)
    if likest >= LEAST_ALIKE:
        assert SequenceMatcher(None, lookalikes(name, known)[0].lower(), name.lower()).ratio() == likest
