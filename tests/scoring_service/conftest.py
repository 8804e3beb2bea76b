"""The service over a registry of this process, as programs see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import structlog
from fastapi.testclient import TestClient

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.local import LocalRegistry
from modelyard.registry.sqlite import SqliteMetadata
from scoring_service.app import create_app
from scoring_service.logs import configure_logs
from scoring_service.service import Limits, Service
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


@pytest.fixture
def datasets(tmp_path: Path) -> FilesystemDatasets:
    return FilesystemDatasets(tmp_path / "datasets")


@pytest.fixture
def service(registry: LocalRegistry, datasets: FilesystemDatasets, tmp_path: Path, clock: Clock) -> Service:
    limits = Limits(body=1 << 16, refresh_seconds=0.01)
    return Service(registry, datasets, tmp_path / "cache", limits=limits, clock=clock)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        yield client
