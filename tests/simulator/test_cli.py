"""`modelyard simulate lender`, as it is typed."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from modelyard.cli.main import run
from modelyard.errors import UsageError
from modelyard.simulator.parameters import LenderParameters

USUAL = ["--markets", "ke,ug", "--days", "60", "--borrowers", "40", "--end", "2026-07-01", "--seed", "3"]


def simulate(out: Path, *words: str) -> int:
    return run(["simulate", "lender", "--out", str(out), *USUAL, *words])


def test_it_prints_tables_and_says_how_fast_it_was(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(out) == 0
    said = capsys.readouterr()
    for word in ("borrowers", "transactions", "devices", "loans", "ke", "ug", "overall", "AUC"):
        assert word in said.out
    assert "transactions a second" in said.err


def test_a_second_run_says_that_there_is_nothing_to_do(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(out) == 0
    first = capsys.readouterr()
    assert simulate(out) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "nothing to do" in second.err


def test_json_holds_rows_optimum_and_speed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(out, "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert simulate(out, "--json") == 0
    second = json.loads(capsys.readouterr().out)
    assert first["rows"]["borrowers"] == 80
    assert first["transactions_per_second"] > 0
    assert (first["made"], second["made"]) == (True, False)
    assert second["transactions_per_second"] is None
    assert first["markets"] == second["markets"]
    assert first["overall"] == json.loads((out / "optimum.json").read_text())["overall"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--days", "0"], "--days is 0"),
        (["--days", "-3"], "--days is -3"),
        (["--days", "99999"], "begins before 1970-01-01"),
        (["--days", "many"], "'--days'"),
        (["--borrowers", "0"], "--borrowers is 0"),
        (["--borrowers", "-1"], "--borrowers is -1"),
        (["--seed", "-1"], "--seed is -1"),
        (["--end", "2026-02-30"], "'2026-02-30', which is not a date"),
        (["--end", "tomorrow"], "not written as YYYY-MM-DD"),
        (["--end", "20260701"], "not written as YYYY-MM-DD"),
        (["--end", "1970-01-01"], "lies after 1970-01-01"),
        (["--end", "2300-01-01"], "not after 2200-01-01"),
        (["--markets", ""], "--markets holds ''"),
        (["--markets", "ke,,gh"], "--markets holds ''"),
        (["--markets", "KE"], "--markets holds 'KE'"),
        (["--markets", "k"], "--markets holds 'k'"),
        (["--markets", "../up"], "--markets holds '../up'"),
        (["--markets", "ninechars"], "--markets holds 'ninechars'"),
        (["--markets", "ke,gh,ke"], "'ke' more than once"),
        (["--timezone", "Mars/Olympus"], "'Mars/Olympus', which is not known"),
        (["--timezone", "/etc/passwd"], "which is not known"),
    ],
)
def test_bad_arguments_are_named(
    words: list[str], complaint: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(out, *words) == 64
    assert complaint in capsys.readouterr().err.replace("\n", " ")
    assert list(out.parent.iterdir()) == []


def test_a_folder_of_something_else_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(out) == 0
    assert simulate(out, "--seed", "4") == 1
    assert "hint: choose another --out or remove it" in capsys.readouterr().err


def test_no_markets_at_all() -> None:
    with pytest.raises(UsageError, match="--markets is empty"):
        LenderParameters(end=date(2026, 7, 1), markets=())


MEASURE = """
import sys
from datetime import date
from pathlib import Path
import psutil
from modelyard.simulator.lender import simulate_lender
from modelyard.simulator.parameters import LenderParameters

process, peak = psutil.Process(), 0
def watch(_):
    global peak
    peak = max(peak, process.memory_info().rss)
simulate_lender(LenderParameters(date(2026, 7, 1), ("ke",), int(sys.argv[1]), 700), Path(sys.argv[2]), watch)
print(peak)
"""


def test_memory_does_not_grow_with_the_days(tmp_path: Path) -> None:
    peaks = []
    for days in (220, 1400):
        command = [sys.executable, "-c", MEASURE, str(days), str(tmp_path / str(days))]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    few, many = peaks
    assert many < 1.3 * few
