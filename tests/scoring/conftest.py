"""A registry of this process whose clock a test sets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import structlog

from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.local import LocalRegistry
from modelyard.registry.sqlite import SqliteMetadata
from scoring_service.logs import configure_logs
from tests.scoring.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    artifacts = FilesystemArtifacts(tmp_path / "artifacts")
    return LocalRegistry(SqliteMetadata(tmp_path / "registry.db"), artifacts, actor="tests", clock=clock)
