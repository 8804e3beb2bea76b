"""A project as `modelyard init` makes it, and a registry on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.cli.main import run
from modelyard.registry.home import RegistryHome
from tests.registry.making import apply, feature_set, register

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new project, which is the current folder."""
    assert run(["init", str(tmp_path / "tumours")]) == 0
    monkeypatch.chdir(tmp_path / "tumours")
    capsys.readouterr()
    return tmp_path / "tumours"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands keep their registry, and the current folder around it; they act for Amina."""
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELYARD_ACTOR", "amina")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path, tmp_path: Path) -> LocalRegistry:
    """ke with three versions, of which the second is live; gh with none."""
    registry = RegistryHome(home).registry("amina")
    registry.register_feature_set(feature_set(), project="lender", lineage={"history_total": ("transactions.amount",)})
    apply(registry, "gh", feature_sets={"history": feature_set()})
    apply(registry, timezone="Africa/Nairobi")
    for number in (1, 2, 3):
        register(registry, tmp_path, f"key {number}", sets=0)
    registry.rollback("ke", to=1)
    registry.rollback("ke", to=2)
    return registry


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command and read what it printed."""

    def show(*words: str) -> str:
        capsys.readouterr()
        assert run(words) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return show
