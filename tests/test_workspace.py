"""Where commands find what they work with, and that a wrong folder is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.cli.main import run
from modelyard.errors import NotFound
from modelyard.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wrong_folder_does_not_look_like_an_empty_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("models", "runs", "poll", "dags"):
        assert run([command]) == 1
        assert "there is no modelyard.yaml" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
    with pytest.raises(NotFound, match=r"there is no modelyard\.yaml") as error:
        open_workspace(needs_project=False)
    assert "MODELYARD_HOME" in error.value.hint


@pytest.mark.parametrize("variable", ["MODELYARD_HOME", "MODELYARD_REGISTRY"])
def test_a_registry_that_is_named_needs_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv(variable, home.as_uri() if variable == "MODELYARD_REGISTRY" else str(home))
    assert not open_workspace(tmp_path, needs_project=False).registry.models().items
    with pytest.raises(NotFound):
        open_workspace(tmp_path)


def test_a_folder_of_specs_that_is_named_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    monkeypatch.setenv("MODELYARD_SPECS", str(tmp_path / "specs"))
    assert run(["dags"]) == 0
