"""Registries to test: one in process, one behind a real server on loopback."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from modelyard.registry.http import HttpRegistry
from registry_api.serve import make_server
from tests.registry.making import Clock, open_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.registry import Registry


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(tmp_path: Path, clock: Clock) -> LocalRegistry:
    return open_local(tmp_path / "home", clock)


@dataclass
class Service:
    """A running server."""

    url: str
    app: FastAPI


@contextmanager
def serving(registry: LocalRegistry) -> Iterator[Service]:
    """A server for a registry, in a thread of its own."""
    server = make_server(registry, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Service(f"http://127.0.0.1:{port}", cast("FastAPI", server.config.app))
    finally:
        server.should_exit = True
        thread.join()


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
