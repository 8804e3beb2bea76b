import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.problems import ConfigErrors, Problem, counted, field_name, near_miss, shown_file
from modelyard.errors import InvalidData

PROBLEM = Problem(Path("b.yaml"), 3, 5, "data.labels", "it is wrong", "mend it")
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


def test_one_place_keeps_its_first_problem_and_all_are_sorted() -> None:
    again = Problem(Path("b.yaml"), 3, 5, "data.labels", "another word of it", "mend it")
    before = Problem(Path("a.yaml"), 9, 1, "", "it is empty", "write it")
    errors = ConfigErrors([PROBLEM, again, before])
    assert errors.problems == (before, PROBLEM)
    assert errors.reason == "2 problems in 2 files"
    assert str(errors).splitlines()[1:] == [
        "a.yaml:9:1  it is empty", "  hint: write it", "b.yaml:3:5  data.labels  it is wrong", "  hint: mend it",
    ]  # fmt: skip


def test_the_error_survives_a_process_and_has_its_exit_code() -> None:
    errors = pickle.loads(pickle.dumps(ConfigErrors([PROBLEM])))  # noqa: S301 - what this test made itself
    assert errors.problems == (PROBLEM,)
    assert isinstance(errors, InvalidData)
    assert errors.exit_code == 65


def test_names_of_files_and_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_file(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown_file(Path("/elsewhere/b.yaml")) == "/elsewhere/b.yaml"
    assert field_name(("data", "features", 0, "source")) == "data.features[0].source"
    assert field_name(()) == ""
    assert (counted(1, "file"), counted(0, "file")) == ("1 file", "0 files")
