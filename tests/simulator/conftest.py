"""A small lender, simulated once for all tests that read it."""

from datetime import date
from pathlib import Path

import pytest

from modelyard.simulator.lender import Simulation, simulate_lender
from modelyard.simulator.parameters import LenderParameters

SMALL = LenderParameters(end=date(2026, 7, 1), markets=("ke", "gh", "zz"), days=130, borrowers=400, seed=5)


@pytest.fixture(scope="session")
def small() -> LenderParameters:
    return SMALL


@pytest.fixture(scope="session")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate_lender(SMALL, tmp_path_factory.mktemp("lender") / "out", lambda _: None)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that is not there yet, in an empty one."""
    return tmp_path / "out"
