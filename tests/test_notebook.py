"""`modelyard.open()`: the rows, the models and the scores that runs and schedules see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import modelyard
from modelyard.errors import NotFound, UsageError
from tests.scoring.world import MODEL, definition, make_world

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_is_explored(tmp_path: Path) -> None:
    from modelyard.cli.main import run

    assert run(["init", str(tmp_path / "tumours")]) == 0
    project = modelyard.open(tmp_path / "tumours" / "models" / "malignant.yaml")
    frame = project.training_set("malignant_logistic")
    assert len(frame) == 569
    assert set(frame["__label"]) == {0, 1}
    assert len(project.training_set("malignant_logistic", sample=0.5)) < 400
    with pytest.raises(NotFound, match="has no model `malignant_logistics`"):
        project.training_set("malignant_logistics")
    with pytest.raises(UsageError, match="`yesterday` is no day"):
        project.training_set("malignant_logistic", as_of="yesterday")


def test_a_day_is_scored_as_its_dag_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    (tmp_path / "modelyard.yaml").write_text("apiVersion: modelyard/v1\nkind: Project\nname: tests\n")
    make_world(tmp_path).train(definition())
    project = modelyard.open(tmp_path)
    stored = project.load(MODEL)
    assert list(stored.features) == ["amount", "channel", "repeat"]
    frame = project.score(MODEL, as_of="2026-07-01")
    assert len(frame) == 37
    assert set(frame["version"]) == {1}
    assert project.datasets.partitions(f"predictions/{MODEL}/1") == ["2026-07-01"]
    assert frame.equals(project.score(MODEL, as_of="2026-07-01", version=1))
    with pytest.raises(NotFound, match="no version of `people` is live"):
        project.score(MODEL, as_of="2020-01-01")
