"""Many creators at once: different numbers, or one version where the key is the same."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import VersionState
from modelyard.registry.transfer import register_version
from tests.registries import Service, serving
from tests.registry.making import apply, claim_of, write_files

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.registry import Registry
    from tests.registry.places import Place

CREATORS = 16


def _register(address: str, place: Place, made: Path, key: str) -> int:
    registry: Registry = HttpRegistry(address) if address else place.registry()
    return register_version(registry, claim_of(key), made).number


def _promote(address: str, place: Place, number: int) -> bool:
    registry: Registry = HttpRegistry(address) if address else place.registry()
    try:
        registry.promote("ke", number)
    except Conflict:
        return False
    return True


def _maybe_serving(registry: LocalRegistry, how: str) -> AbstractContextManager[Service | None]:
    return serving(registry) if how == "over HTTP" else nullcontext()


@pytest.mark.parametrize("how", ["in process", "over HTTP"])
def test_sixteen_processes_make_sixteen_versions(how: str, place: Place, tmp_path: Path) -> None:
    registry = place.registry()
    apply(registry)
    made = write_files(tmp_path / "made")
    with _maybe_serving(registry, how) as service, _pool() as pool:
        address = service.url if service else ""
        keys = [f"creator {number}" for number in range(CREATORS)]
        numbers = list(pool.map(_register, *_same(address, place, made), keys))
        assert sorted(numbers) == list(range(1, CREATORS + 1))
        same = list(pool.map(_register, *_same(address, place, made), ["one key"] * CREATORS))
    (one,) = set(same)
    assert one > CREATORS, "those that were second with the key may have taken numbers, which stay gaps"
    versions = registry.versions("ke").items
    assert {version.state for version in versions} == {VersionState.READY}
    assert len(versions) == CREATORS + 1
    assert registry.latest("ke").number == one


def test_one_of_many_promotions_to_the_same_head_comes_first(place: Place, tmp_path: Path) -> None:
    registry = place.registry()
    apply(registry)
    made = write_files(tmp_path / "made")
    for number in range(8):
        register_version(registry, claim_of(f"key {number}"), made)
    with _pool() as pool:
        won = list(pool.map(_promote, [""] * 8, [place] * 8, range(1, 9)))
    facts = registry.promotions("ke")
    assert len(facts) == sum(won) >= 1
    assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
    assert sum(fact.superseded_by is None for fact in facts) == 1


def _pool() -> ProcessPoolExecutor:
    # Forked off a process of one thread that has everything loaded: this one's threads hold locks.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.registry.test_many_creators"])
    return ProcessPoolExecutor(CREATORS, mp_context=context)


def _same(address: str, place: Place, made: Path) -> tuple[list[str], list[Place], list[Path]]:
    return [address] * CREATORS, [place] * CREATORS, [made] * CREATORS
