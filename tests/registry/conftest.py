"""Registries to test: one in process, one behind a real server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.registry.http import HttpRegistry
from tests.registries import Clock, Service, serving
from tests.registry.making import open_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.registry import Registry


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(tmp_path: Path, clock: Clock) -> LocalRegistry:
    return open_local(tmp_path / "home", clock)


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(open_local(tmp_path_factory.mktemp("unused"))) as running:
        yield running


@pytest.fixture
def service(shared_service: Service, local: LocalRegistry) -> Service:
    """The server, over this test's own registry; starting one for each test would take longer than the tests."""
    shared_service.app.state.registry = local
    return shared_service


@pytest.fixture(params=["in process", "over HTTP"])
def registry(request: pytest.FixtureRequest, local: LocalRegistry) -> Iterator[Registry]:
    """A registry; every test that asks for it runs on each kind."""
    if request.param == "in process":
        yield local
        return
    client = HttpRegistry(request.getfixturevalue("service").url)
    yield client
    client.close()
