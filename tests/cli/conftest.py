"""A project as `modelyard init` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new project, which is the current folder."""
    assert run(["init", str(tmp_path / "tumours")]) == 0
    monkeypatch.chdir(tmp_path / "tumours")
    capsys.readouterr()
    return tmp_path / "tumours"
