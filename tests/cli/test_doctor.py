"""`modelyard doctor` says what is missing, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def findings(said: Callable[..., Any], check: str, code: int = 0) -> list[tuple[str, str, str]]:
    return [(one["health"], one["detail"], one["hint"]) for one in said("doctor", code=code) if one["check"] == check]


def test_a_new_project_is_healthy(project: Path, said: Callable[..., Any]) -> None:
    found = said("doctor")
    assert {one["health"] for one in found} <= {"ok", "warning"}
    assert ("ok", "tumours: 2 models, 0 feature sets, 1 sources", "") in findings(said, "project")
    assert findings(said, "registry")[0][1].endswith("empty")
    assert (project / ".modelyard").is_dir()


def test_a_misspelt_variable_is_told_and_the_projects_own_is_not(
    project: Path, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "modelyard.yaml"
    variables = "vars: {bucket: {default: {env: MODELYARD_BUCKET, default: here}, production: there}}\n"
    file.write_text(file.read_text() + variables)
    monkeypatch.setenv("MODELYARD_BUCKET", "somewhere")
    monkeypatch.setenv("MODELYARD_HOM", "somewhere")
    assert findings(said, "variables") == [
        ("warning", "MODELYARD_HOM is no setting of Modelyard or the project", "did you mean `MODELYARD_HOME`?")
    ]


def test_a_broken_project_and_a_state_folder_that_is_none_fail(
    project: Path, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(project / "modelyard.yaml"))
    (health, detail, hint) = findings(said, "state", code=1)[0]
    assert (health, hint) == ("failed", "set MODELYARD_HOME")
    assert "can't be written" in detail
    (project / "models" / "malignant.yaml").write_text("kind: Modell")
    assert findings(said, "project", code=1)[0][0] == "failed"
