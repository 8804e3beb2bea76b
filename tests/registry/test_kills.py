"""A creator killed after every step of an upload: nobody sees half a model, and the same key goes on."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import NotFound
from modelyard.registry.pages import every
from modelyard.registry.records import VersionState
from modelyard.registry.sweep import Sweep
from tests.registries import serving
from tests.registry.making import apply, claim_of, write_files
from tests.registry.places import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.registry import Registry

FILES = {"model.json": b'{"weights": [1]}', "card.md": b"# Card\n"}

NURSERY = '''
"""Forks a creator for each number read: it registers a version and dies, as if by kill -9, at its Nth step."""
import os, sqlite3, sys
from pathlib import Path
import httpx
from botocore.client import BaseClient
import modelyard.registry.transfer as transfer
from modelyard.registry.http import HttpRegistry
from tests.registry.making import claim_of
from tests.registry.places import Place
from tests.registry.test_kills import FILES

address, folder = sys.argv[1], Path(sys.argv[2])
steps = when = 0


def stepping(function):
    """The function, with a step before and a step after it."""
    def step():
        global steps
        steps += 1
        if steps == when:
            os._exit(137)

    def both(*arguments, **options):
        step()
        result = function(*arguments, **options)
        step()
        return result
    return both


class Connection(sqlite3.Connection):
    def execute(self, statement, *values):
        if statement.split()[0] in ("BEGIN", "INSERT", "UPDATE", "COMMIT"):
            return stepping(super().execute)(statement, *values)
        return super().execute(statement, *values)


connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: connect(*arguments, **options, factory=Connection)
os.replace, os.fsync, os.fchmod = stepping(os.replace), stepping(os.fsync), stepping(os.fchmod)
httpx.Client.request = stepping(httpx.Client.request)
call = BaseClient._make_api_call
BaseClient._make_api_call = lambda self, name, request: (
    call(self, name, request) if name.startswith(("Get", "Query", "BatchGet")) else stepping(call)(self, name, request)
)
for line in sys.stdin:
    when = int(line)
    child = os.fork()
    if child == 0:
        registry = HttpRegistry(address) if address.startswith("http") else Place.read(address).registry()
        transfer.register_version(registry, claim_of("the key", files=FILES), folder)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
'''


@contextmanager
def creators(address: str, folder: Path) -> Iterator[Callable[[int], int]]:
    """Creators, each of which dies at a step: the exit code of one, given its step."""
    command = [sys.executable, "-c", NURSERY, address, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as nursery:
        assert nursery.stdin
        assert nursery.stdout

        def create(when: int) -> int:
            assert nursery.stdin
            assert nursery.stdout
            nursery.stdin.write(f"{when}\n")
            nursery.stdin.flush()
            return int(nursery.stdout.readline())

        yield create


@pytest.fixture(params=["in process", "over HTTP"])
def yard(request: pytest.FixtureRequest, place: Place) -> Iterator[tuple[str, Registry]]:
    """An address for creators, and the registry behind it."""
    registry = place.registry()
    apply(registry)
    if request.param == "in process":
        yield str(place), registry
        return
    with serving(registry) as service:
        yield service.url, registry


def test_killed_at_every_step_nothing_is_half_and_the_key_goes_on(
    yard: tuple[str, Registry], place: Place, tmp_path: Path
) -> None:
    address, registry = yard
    when, version = 0, None
    with creators(address, write_files(tmp_path / "made", FILES)) as create:
        while create(when := when + 1) != 0:
            seen = _seen(registry)
            assert version in (None, seen), "READY comes once and stays"
            version = seen
    version = _seen(registry)
    assert version is not None
    assert when > 4
    assert registry.claim(claim_of("the key", files=FILES)).version == version
    assert list(registry.versions("ke").items) == [version]
    _sweep_leaves_only(registry, place)


def _seen(registry: Registry) -> object:
    """What readers see: nothing, or a version whose bytes are there and match."""
    try:
        version = registry.latest("ke")
    except NotFound:
        assert registry.versions("ke").items == ()
        return None
    assert version.state is VersionState.READY
    for path, content in FILES.items():
        assert b"".join(registry.read_artifact("ke", version.number, path)) == content
    return version


def _sweep_leaves_only(registry: Registry, place: Place) -> None:
    metadata, artifacts = place.metadata(), place.artifacts()
    later = registry.latest("ke").created_at + timedelta(days=2)
    Sweep(metadata, artifacts, now=later, actor="sweep", dry_run=False).run()
    version = registry.latest("ke")
    assert {file.key for file in artifacts.stored("models")} == {f"{version.location}/{path}" for path in FILES}
    assert list(every(lambda page: metadata.pending_versions(later, page=page, limit=10))) == []
    assert metadata.check() == []
    metadata.close()


def test_a_claim_that_nobody_completes_is_swept(tmp_path: Path) -> None:
    place = Place(tmp_path / "home")
    registry = place.registry()
    apply(registry)
    with creators(str(place), write_files(tmp_path / "made", FILES)) as create:
        for when in range(12, 20):  # somewhere between the claim and its completion
            assert create(when) == 137
    metadata, artifacts = place.metadata(), place.artifacts()
    later = registry.model("ke").created_at + timedelta(days=2)
    assert list(artifacts.stored("models")) != []
    removed = Sweep(metadata, artifacts, now=later, actor="sweep", dry_run=False).run()
    assert [removal.kind for removal in removed] == ["claim"]
    assert list(artifacts.stored("models")) == []
    assert registry.claim(claim_of("the key", files=FILES)).version.number == 2
    metadata.close()
