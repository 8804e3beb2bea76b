"""A registry of this process whose clock a test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.orchestration.yard import NOON
from tests.registries import Clock, open_registry

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> LocalRegistry:
    return open_registry(tmp_path / "home", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "specs"
