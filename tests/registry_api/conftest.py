"""A service with a model, a version, a feature set and a run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.registries import Clock, Service, serving
from tests.registry.making import apply, feature_set, open_local, register, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalRegistry


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalRegistry:
    """The registry behind the service; the tests of a module share it, and change little."""
    folder = tmp_path_factory.mktemp("service")
    registry = open_local(folder / "home", Clock())
    apply(registry)
    register(registry, folder)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.queue_run(run_of())
    return registry


@pytest.fixture(scope="module")
def service(local: LocalRegistry) -> Iterator[Service]:
    with serving(local, trainer="trainer:1") as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        yield client
