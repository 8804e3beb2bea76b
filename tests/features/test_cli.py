"""`modelyard features`, as a user sees it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.cli.main import run
from tests.features.builders import utc

PROJECT = """
apiVersion: modelyard/v1
kind: Project
name: shop
defaults: {owner: tests}
"""
DOCUMENTS = """
apiVersion: modelyard/v1
kind: Source
name: visits
format: parquet
path: visits.parquet
columns: {who: string, at: timestamp, amount: double, bought: integer}
timestamp: at
available: at
expectations:
  - {expect: column_values_to_be_between, column: amount, with: {max_value: 3}, severity: warning}
---
apiVersion: modelyard/v1
kind: FeatureSet
name: history
entity: who
source: visits
aggregations:
  - {name: visits_7d, how: count, window: 7d}
---
apiVersion: modelyard/v1
kind: Model
name: buys
task: binary_classification
data:
  labels: {source: visits, entity: who, timestamp: at, label: bought, positive: 1}
  features: [history]
pipeline:
  - {use: sklearn.dummy.DummyClassifier}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "modelyard.yaml").write_text(PROJECT)
    (tmp_path / "documents.yaml").write_text(DOCUMENTS)
    rows = [
        {"who": who, "at": utc(f"2026-01-0{day}T10:00"), "amount": float(day), "bought": day % 2}
        for who in ("a", "b") for day in (1, 2, 3, 4)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "visits.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def out(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert run(["features", *words]) == code
    return capsys.readouterr()


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    return json.loads(out(capsys, *words, "--json")[0])


MATERIALISE: Sequence[str] = ("materialise", "history", "--from", "2026-01-02", "--to", "2026-01-05")


def test_a_range_is_materialised_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, said = out(capsys, *MATERIALISE)
    assert "4 days, 2026-01-02 to 2026-01-05" in text
    assert said.count("warning: source `visits`: column_values_to_be_between of `amount`: 2 of 8 rows (25.00%)") == 1
    found = printed(capsys, *MATERIALISE)
    assert isinstance(found, list)
    assert (found[0]["published"], len(found[0]["existing"])) == ([], 4)
    found = printed(capsys, *MATERIALISE, "--force")
    assert isinstance(found, list)
    assert len(found[0]["published"]) == 4
    assert (project / ".modelyard/datasets/features/history/1").is_dir()


def test_a_day_of_a_version_needs_no_documents(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out(capsys, *MATERIALISE)
    (project / "documents.yaml").unlink()
    text, _ = out(capsys, "materialise", "history", "--version", "1", "--as-of", "2026-01-06")
    assert "2026-01-06" in text
    _, said = out(capsys, "materialise", "history", "--version", "2", "--as-of", "2026-01-06", code=1)
    assert "error: " in said
    _, said = out(capsys, "materialise", "history", "more", "--version", "1", "--as-of", "2026-01-06", code=64)
    assert "--version is about one feature set" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["materialise", "history"], "say --as-of"),
        (["materialise", "history", "--from", "2026-01-02"], "say --as-of"),
        (["materialise", "history", "--from", "2026-01-02", "--to", "2026-01-01"], "say --as-of"),
        (["materialise", "history", "--as-of", "2026-01-02", "--to", "2026-01-03"], "say --as-of"),
        (["materialise", "history", "--as-of", "today"], "today"),
    ],
)
def test_wrong_usage_is_named(project: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str) -> None:
    assert project.exists()
    assert reason in out(capsys, *words, code=64)[1]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["materialise", "histry", "--as-of", "2026-01-02"], "did you mean `history`?"),
        (["training-set", "sells"], "there are: buys"),
        (["compile", "histry"], "did you mean `history`?"),
    ],
)
def test_what_is_not_in_the_project_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    assert project.exists()
    assert hint in out(capsys, *words, code=1)[1]


@pytest.mark.parametrize("words", [["training-set", "buys"], [*MATERIALISE], ["compile", "history"]])
def test_a_variable_that_is_not_set_is_named(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    variables = "vars: {visits: {env: VISITS_FILE}}\n"
    (project / "modelyard.yaml").write_text(PROJECT + variables)
    (project / "documents.yaml").write_text(DOCUMENTS.replace("visits.parquet", "${visits}"))
    assert "needs the environment variable VISITS_FILE" in out(capsys, *words, code=65)[1]


def test_a_training_set_is_built_and_copied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, said = out(capsys, "training-set", "buys", "--as-of", "2026-01-10", "--out", "set.parquet")
    assert "buys: 8 rows" in text
    assert "visits_7d" in text
    assert "25.0%" in text
    assert "warning: source `visits`: column_values_to_be_between of `amount`: 2 of 8 rows" in said
    assert pq.read_table(project / "set.parquet").num_rows == 8
    _, said = out(capsys, "training-set", "buys", "--as-of", "2026-01-10", "--out", "nowhere/set.parquet", code=1)
    assert "error: nowhere/set.parquet: No such file or directory" in said
    found = printed(capsys, "training-set", "buys", "--as-of", "2026-01-10", "--sample", "0.999")
    assert isinstance(found, dict)
    assert found["details"]["roles"]["features"] == {"visits_7d": "number"}
    assert Path(found["file"]).is_file()


def test_a_set_is_compiled_to_sql(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.exists()
    text, _ = out(capsys, "compile", "history")
    assert '"rows:visits"' in text
    assert '"visits_7d"' in text
    found = printed(capsys, "compile", "history")
    assert isinstance(found, dict)
    assert found["lineage"] == {"visits_7d": ["visits.at"]}


def test_checks_fail_where_something_cannot_be_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out(capsys, *MATERIALISE)
    text, _ = out(capsys, "check", "--as-of", "2026-01-05")
    assert "features/history/1 of 2026-01-05" in text
    assert "warning: column_values_to_be_between" in text
    text, _ = out(capsys, "check", "history", "--as-of", "2026-01-09", code=65)
    assert "has no values as of 2026-01-09" in text
    (project / "visits.parquet").write_bytes(b"")
    assert run(["features", "check", "--as-of", "2026-01-05", "--json"]) == 65
    found = json.loads(capsys.readouterr().out)
    assert [one["ok"] for one in found] == [False, True]
