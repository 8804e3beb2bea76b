"""A place of its own for each test of features."""

from pathlib import Path

import pytest

from tests.features.builders import Place, utc
from tests.features.history import DEVICES, ROWS, TRANSACTIONS


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def filled(place: Place) -> Place:
    place.write(TRANSACTIONS, ROWS)
    place.write(DEVICES, [
        {"who": "a", "seen": utc("2026-01-01T08:00"), "os": "x", "rooted": False},
        {"who": "a", "seen": utc("2026-01-04T08:00"), "os": "y", "rooted": True},
        {"who": "c", "seen": utc("2026-01-02T08:00"), "os": "z", "rooted": None},
    ])  # fmt: skip
    return place
