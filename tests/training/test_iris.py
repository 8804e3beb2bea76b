"""Four interchangeable models of Fisher's flowers, from the project that ships with scikit-learn's own table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelyard.cli.main import run

IRIS = Path(__file__).parents[2] / "configs" / "iris"


@pytest.mark.timeout(240)
def test_every_architecture_tells_the_flowers_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(IRIS, tmp_path / "iris", ignore=shutil.ignore_patterns(".modelyard"))
    monkeypatch.chdir(tmp_path / "iris")
    assert run(["train", "--json"]) == 0, capsys.readouterr().err
    runs = {one["model"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(runs) == {f"iris_{name}" for name in ("rules", "decision_tree", "random_forest", "xgboost")}
    for one in runs.values():
        accuracy = one["metrics"]["accuracy"]
        assert accuracy["value"] > 0.9
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert "cross_validation" in json.dumps(runs["iris_rules"]["spec"])
