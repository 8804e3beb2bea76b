import pickle
from pathlib import Path

import pytest

from modelyard.config.problems import ConfigErrors, Problem, counted, field_name, shown_file
from modelyard.errors import InvalidData

PROBLEM = Problem(Path("b.yaml"), 3, 5, "data.labels", "it is wrong", "mend it")


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
