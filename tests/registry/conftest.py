"""Registries to test: on each back-end, one in process, one behind a real server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.registry.http import HttpRegistry
from tests.registries import Clock, Service, serving
from tests.registry.making import open_local
from tests.registry.places import Place, drop_table, new_table
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.registry import Registry

    As = Callable[[str], Registry]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[str]:
    """The address of DynamoDB, which this process and its children use from now on."""
    address = address_of("TEST_DYNAMODB_URL")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        yield address


@pytest.fixture
def table(dynamodb: str) -> Iterator[str]:  # noqa: ARG001 - its address is in the environment
    """A DynamoDB table of this test's own."""
    name = new_table()
    yield name
    drop_table(name)


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a registry lies; every test that asks for it runs on each back-end."""
    name = request.getfixturevalue("table") if request.param == "dynamodb" else ""
    return Place(tmp_path / "home", name)


@pytest.fixture
def local(place: Place, clock: Clock) -> LocalRegistry:
    return place.registry(clock)


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


@pytest.fixture(params=["in process", "over HTTP"])
def acting(request: pytest.FixtureRequest, local: LocalRegistry) -> Iterator[As]:
    """The registry as somebody who is no operator sees it."""
    if request.param == "in process":
        yield lambda actor: local.acting_as(actor, operator=False)
        return
    service: Service = request.getfixturevalue("service")
    client = HttpRegistry(service.url)

    def over_http(actor: str) -> Registry:
        service.app.state.registry = local.acting_as(actor, operator=False)
        return client

    yield over_http
    client.close()
