"""SQL that may not be run is found by `validate` and `plan`, before anything is registered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelyard.cli.main import run

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
