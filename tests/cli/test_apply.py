"""From documents to a registry that holds what they say: `modelyard plan` and `modelyard apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import modelyard
from modelyard.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

MODELS = ["malignant_forest", "malignant_logistic"]


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def lines(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> list[str]:
    """What a command prints."""
    capsys.readouterr()
    assert run(words) == code
    return capsys.readouterr().out.splitlines()


def test_a_project_is_planned_applied_trained_and_then_left_alone(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [change["action"] for change in said("plan", code=2)["changes"]] == ["create", "create"]
    applied = said("apply", "--wait")
    assert [(run["model"], run["state"], run["version"]) for run in applied["runs"]] == [
        ("malignant_forest", "SUCCEEDED", 1), ("malignant_logistic", "SUCCEEDED", 1),
    ]  # fmt: skip

    edit(project / "models" / "malignant.yaml", "task:", "# A comment.\ntask:")
    assert lines(capsys, "plan", code=0)[-1] == "No changes."
    assert said("apply", "--wait")["runs"] == []
    assert run(["apply"]) == 0
    assert "Nothing to do" in capsys.readouterr().err


def test_a_change_is_named_with_its_field_and_its_meaning(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    said("apply")
    edit(project / "architectures" / "logistic.yaml", "strength: 1.0", "strength: 0.5")
    assert lines(capsys, "plan", code=2)[1:] == [
        "  ~ Model malignant_logistic: revision 2 (training), will be trained",
        "      pipeline[1].with.C: 1.0 → 0.5",
        "Plan: 1 to update; 1 run.",
    ]
    edit(project / "architectures" / "logistic.yaml", "strength: 0.5", "strength: 1.0")
    edit(project / "models" / "malignant.yaml", "task:", "owner: oncology\ntask:")
    assert "revision 2 (deployment), no training" in lines(capsys, "plan", "models", code=2)[1]
    applied = said("apply")
    assert applied["runs"] == []
    assert [record.team for record in modelyard.open().registry.models().items] == ["oncology", "oncology"]


def test_what_mends_a_failed_run_is_tried(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    source = project / "sources" / "tumours.yaml"
    path = "package:sklearn/datasets/data/breast_cancer.csv"
    edit(source, path, "nowhere.csv")
    assert run(["apply", "--wait"]) == 65
    edit(source, "nowhere.csv", path)
    capsys.readouterr()
    assert [one["state"] for one in said("apply", "--wait")["runs"]] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_document_that_is_gone_is_archived_by_name(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    said("apply")
    edit(project / "models" / "malignant.yaml", "[logistic, forest]", "[logistic]")
    assert lines(capsys, "plan", "architectures", code=0)[-1] == "No changes.", "a narrowed plan archives nothing"
    assert lines(capsys, "plan", code=2)[1:] == [
        "  - Model malignant_forest: archived, its document is gone",
        "Plan: 1 to archive; 0 runs.",
    ]
    said("apply")
    assert modelyard.open().registry.model("malignant_forest").archived_at is not None
    assert lines(capsys, "plan", code=0)[-1] == "No changes."


def test_a_saved_plan_is_applied_as_it_is_or_not_at_all(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(tmp_path / "plan.json")
    said("plan", "--out", file, code=2)
    edit(project / "models" / "malignant.yaml", "roc_auc, accuracy", "roc_auc")
    assert run(["apply", file]) == 1
    assert "error:" in capsys.readouterr().err
    assert not modelyard.open().registry.models().items

    said("plan", "--out", file, code=2)
    assert [run["state"] for run in said("apply", file)["runs"]] == ["QUEUED", "QUEUED"]
    assert [record.name for record in modelyard.open().registry.models().items] == MODELS


def test_another_projects_models_are_not_its_own_to_archive(
    project: Path, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(project.parent / "home"))
    said("apply")
    other = project.parent / "other"
    said("init", str(other))
    edit(other / "models" / "malignant.yaml", "malignant_$", "other_$")
    monkeypatch.chdir(other)
    planned = said("plan", code=2)
    assert [change["name"] for change in planned["changes"]] == ["other_forest", "other_logistic"]
