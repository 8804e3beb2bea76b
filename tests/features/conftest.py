"""A place of its own for each test of features."""

from pathlib import Path

import pytest

from tests.features.builders import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
