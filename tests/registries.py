"""Registries for tests of any room: in a folder, under a clock that a test sets, behind a real server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelyard.asgi.listening import address_of, open_listener
from modelyard.asgi.server import Server
from modelyard.registry.home import RegistryHome
from modelyard.registry.local import LocalRegistry
from modelyard.registry.rules.base import utc_now
from registry_api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from modelyard.asgi.auth.authenticator import Authenticator
    from modelyard.datasets.store import DatasetStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOST = "127.0.0.1"


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> datetime:
        """Let time pass, or run back."""
        self.now += timedelta(**time)
        return self.now


def open_registry(home: Path, clock: Callable[[], datetime] = utc_now, *, actor: str = "tests") -> LocalRegistry:
    """A registry in a folder."""
    place = RegistryHome(home)
    return LocalRegistry(place.metadata(), place.artifacts(), actor=actor, clock=clock)


@dataclass
class Service:
    """A running server."""

    url: str
    app: FastAPI


@contextmanager
def serving(
    registry: LocalRegistry,
    authenticator: Authenticator | None = None,
    *,
    datasets: DatasetStore | None = None,
    trainer: str = "",
) -> Iterator[Service]:
    """A server for a registry, in a thread of its own."""
    app = create_app(registry, datasets, authenticator, trainer=trainer)
    with running(app) as url:
        yield Service(url, app)


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address of a server in a thread of its own."""
    server = Server(app)
    with open_listener(HOST, 0) as listener:  # it takes requests from now on; they wait until the server has started
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address_of(listener, HOST)
        finally:
            server.should_exit = True
            thread.join()
