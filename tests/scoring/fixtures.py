"""Fixtures of scoring and of its service: a registry of this process whose clock a test sets, and plain logs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import structlog

from scoring_service.logs import configure_logs
from tests.registries import Clock, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Events as the service writes them: structlog's own way draws every variable of a traceback."""
    configure_logs()
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 7, 1, 12, tzinfo=UTC))


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> LocalRegistry:
    return open_registry(tmp_path, clock)
