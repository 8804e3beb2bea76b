"""SQL that may not be run is found by `validate` and `plan`, before anything is registered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli.main import run
from modelyard.config.sql_names import scalar_names
from modelyard.features.problems import _only_compares
from modelyard.features.sql import check_scalar

LENDER = Path(__file__).parents[2] / "configs" / "lender"


@pytest.fixture
def lender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lender"
    shutil.copytree(LENDER, folder, ignore=shutil.ignore_patterns("data", ".modelyard"))
    monkeypatch.chdir(folder)
    return folder / "features"


def test_each_is_told_with_its_file(lender: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate"]) == 0
    history = lender / "borrower_history.yaml"
    history.write_text(history.read_text().replace("greatest(0", "read_csv('/etc/passwd'"))
    (lender / "device_profile.sql.j2").write_text("select borrower_id, 1 as n from secrets")
    capsys.readouterr()

    assert run(["validate", "--json"]) == 65
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [Path(one["file"]).name for one in problems] == ["borrower_history.yaml", "device_profile.yaml"]
    assert "`read_csv` is not among the functions" in problems[0]["reason"]
    assert "secrets" in problems[1]["reason"]
    assert all(one["hint"] for one in problems)

    assert run(["plan"]) == 65
    assert "borrower_history.yaml:1:1" in capsys.readouterr().err


def test_a_model_s_conditions_are_told_once_for_each_field(lender: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = lender.parent / "models" / "loan_default.yaml"
    text = models.read_text().replace("where: \"market = '${market}'\"", 'where: "lenght(market) = 2"')
    models.write_text(text.replace("where: \"active and market = '${market}'\"", "where: \"getenv('HOME') = market\""))

    assert run(["validate", "--json"]) == 65
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [one["field"] for one in problems] == ["data.labels.where", "scoring.population.where"]
    assert "`lenght` is not among the functions" in problems[0]["reason"]
    assert problems[0]["hint"] == "did you mean `length`?"
    assert "`getenv` is not among the functions" in problems[1]["reason"]


COLUMNS = {"amount": "double", "market": "string", "sum": "integer"}
PIECES = (
    *COLUMNS, "read_csv", "current_date", "current_time", "getenv", "(", ")", "=", "<", "-", "--", "*", ",", "1", "-2",
    ".5", "'ke'", "'('", "and", "or", "not", "in", "is", "null", "between", "like", "case", "$x", ":", ";", "select",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(" ".join))
def test_what_is_not_looked_at_would_not_be_refused(where: str) -> None:
    names = scalar_names(where)
    if not names.error and set(names.columns) <= set(COLUMNS) and _only_compares(where, COLUMNS):
        check_scalar(where, COLUMNS, "a condition")


@pytest.mark.parametrize(
    ("where", "only"),
    [
        ("amount", True),
        ("market = 'ke(' AND not amount<-.5 or sum NOT in (1, 2)", False),
        ("market = 'ke(' AND not amount<-0.5 or sum NOT in (1, 2)", True),
        ("market = 'it''s' and amount > 1", False),
        ("sum (amount) > 1", False),
        ("current_time > 1", False),
        ("amount::integer > 1", False),
        ("case when amount > 1 then true end", False),
    ],
)
def test_a_condition_that_only_compares_is_known_by_its_text(where: str, only: bool) -> None:
    assert _only_compares(where, COLUMNS) is only


def test_a_column_that_is_called_as_a_function_is_looked_at_in_any_case() -> None:
    assert not _only_compares("CURRENT_DATE = due", {"CURRENT_DATE": "date", "due": "date"})
