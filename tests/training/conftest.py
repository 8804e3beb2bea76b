"""A place to run runs at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.training.played import Yard

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Yard:
    return Yard(tmp_path)
