"""Default of credit-card clients in Taiwan: figures that others published, reached from YAML alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelyard

TAIWAN = Path(__file__).parents[2] / "configs" / "taiwan"
# Accuracies of the TALENT benchmark (Ye et al. 2024), on splits of its own.
PUBLISHED = {"logistic": 0.8250, "lightgbm": 0.8259, "xgboost": 0.8246}
TOLERANCE = 0.01

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> tuple[Path, dict[str, Any]]:
    """The project's folder, and the run of each model."""
    folder = Path(shutil.copytree(TAIWAN, tmp_path_factory.mktemp("data") / "taiwan"))
    command = [str(Path(sys.executable).with_name("modelyard")), "train", "--json"]
    environment = {**os.environ, "MODELYARD_DATA": str(data_folder)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder, {run["model"].removeprefix("taiwan_default_"): run for run in json.loads(result.stdout)}


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_five_folds_reach_the_published_accuracy(trained: tuple[Path, dict[str, Any]], architecture: str) -> None:
    _, runs = trained
    accuracy = runs[architecture]["metrics"]["accuracy"]

    assert abs(accuracy["value"] - PUBLISHED[architecture]) <= TOLERANCE
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]


@pytest.mark.parametrize("architecture", ["lightgbm", "xgboost"])
def test_boosting_ranks_as_well_as_others_found(trained: tuple[Path, dict[str, Any]], architecture: str) -> None:
    _, runs = trained

    assert runs[architecture]["metrics"]["roc_auc"]["value"] >= 0.77


def test_undocumented_codes_are_reported_and_stop_nothing(
    trained: tuple[Path, dict[str, Any]], data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, runs = trained
    monkeypatch.setenv("MODELYARD_DATA", str(data_folder))
    version = modelyard.open(folder).registry.latest("taiwan_default_logistic")
    (dataset,) = (folder / ".modelyard" / "datasets" / "training_sets").iterdir()
    manifest = modelyard.open(folder).datasets.manifest(f"training_sets/{dataset.name}", "all")

    assert manifest is not None
    assert manifest.digest == version.pins.training_set
    (audit,) = manifest.details["audits"]
    found = {result["column"]: result["unexpected"] for result in audit["results"] if not result["success"]}
    assert found == {"EDUCATION": 345, "MARRIAGE": 54}
    for run in runs.values():
        education, marriage = run["remarks"]
        assert "`EDUCATION`: 345 of 30,000 rows" in education
        assert "`MARRIAGE`: 54 of 30,000 rows" in marriage
