"""The service over a registry of this process, as programs see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from modelyard.datasets.filesystem import FilesystemDatasets
from scoring_service.app import create_app
from scoring_service.service import Limits, Service
from tests.scoring.fixtures import clock, plain_logs, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Clock


__all__ = ["clock", "plain_logs", "registry"]


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
