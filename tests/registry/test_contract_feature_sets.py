"""What every registry promises of feature sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from tests.registry.making import all_changes, feature_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.records import FeatureSetVersion
    from modelyard.registry.registry import Registry
    from tests.registries import Clock

LINEAGE = {"history_total": ("transactions.amount",)}


def put(registry: Registry, definition: dict[str, Any]) -> FeatureSetVersion:
    return registry.register_feature_set(definition, project="lender", lineage=LINEAGE)


def test_a_definition_gets_a_version(registry: Registry, clock: Clock) -> None:
    version = put(registry, feature_set())
    assert (version.name, version.number, version.project, version.team) == ("history", 1, "lender", "credit-ke")
    assert (version.created_at, version.created_by) == (clock.now, "amina")
    assert (version.definition, version.lineage) == (feature_set(), LINEAGE)
    assert registry.feature_set("history") == registry.feature_set("history", 1) == version


def test_the_same_definition_is_the_same_version(registry: Registry, clock: Clock) -> None:
    first = put(registry, feature_set())
    clock.pass_(days=1)
    assert put(registry, feature_set()) == first
    assert [event.type for event in all_changes(registry)] == ["feature_set.registered"]


def test_other_values_are_another_version(registry: Registry) -> None:
    first = put(registry, feature_set())
    second = put(registry, feature_set(window="7d"))
    assert (first.number, second.number) == (1, 2)
    assert registry.feature_set("history") == second
    assert registry.feature_set("history", 1) == first


def test_going_back_is_the_old_version_again(registry: Registry) -> None:
    put(registry, feature_set())
    put(registry, feature_set(window="7d"))
    assert put(registry, feature_set()).number == 1
    assert registry.feature_set("history").number == 1
    assert registry.feature_sets().items[0].number == 1
    assert put(registry, feature_set(window="14d")).number == 3


def test_a_version_is_found_by_its_definition(registry: Registry) -> None:
    first = put(registry, feature_set())
    second = put(registry, feature_set(window="7d"))
    put(registry, feature_set())  # going back does not hide what came between
    assert registry.find_feature_set("history", second.digest) == second
    assert registry.find_feature_set("history", first.digest) == first
    assert registry.find_feature_set("history", "f" * 64) is None
    assert registry.find_feature_set("other", first.digest) is None
    with pytest.raises(InvalidData):
        registry.find_feature_set("history", "../x")


def test_what_does_not_change_values_changes_no_version(registry: Registry) -> None:
    first = put(registry, feature_set())
    moved = feature_set(owner="risk", description="What was spent.")
    moved["sources"]["transactions"]["path"] = "elsewhere/*.csv"
    revised = put(registry, moved)
    assert (revised.number, revised.digest, revised.created_at) == (1, first.digest, first.created_at)
    assert (revised.team, revised.definition) == ("risk", moved)
    assert registry.feature_set("history") == revised


def test_an_archived_set_comes_back(registry: Registry, clock: Clock) -> None:
    first = put(registry, feature_set())
    archived = registry.archive_feature_set("history", reason="unused")
    assert archived.archived_at == clock.now
    clock.pass_(days=1)
    assert registry.archive_feature_set("history") == archived
    assert registry.feature_sets().items == (archived,)
    assert put(registry, feature_set()) == first


def test_a_set_belongs_to_its_project(registry: Registry) -> None:
    put(registry, feature_set())
    with pytest.raises(Conflict, match="belongs to project `lender`"):
        registry.register_feature_set(feature_set(window="7d"), project="other", lineage={})


def test_sets_come_by_name_in_pages(registry: Registry) -> None:
    for name in ("c", "a", "b"):
        put(registry, feature_set(name))
    page = registry.feature_sets(limit=2)
    assert [version.name for version in page.items] == ["a", "b"]
    assert [version.name for version in registry.feature_sets(limit=2, page=page.next).items] == ["c"]


def test_sets_depend_on_sources_and_on_each_other(registry: Registry) -> None:
    put(registry, feature_set())
    put(registry, feature_set("wider", refs={"history": feature_set()}))
    assert registry.dependents("feature_set:history").items == ("feature_set:wider",)
    assert registry.dependents("source:transactions").items == ("feature_set:history", "feature_set:wider")


@pytest.mark.parametrize("broken", [{}, {"document": {"name": "x"}}, {**feature_set(), "more": 1}, feature_set("A")])
def test_a_broken_definition_is_refused(registry: Registry, broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidData):
        put(registry, broken)


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    put(registry, feature_set())
    asks: tuple[Callable[[], object], ...] = (
        lambda: registry.feature_set("nobody"),
        lambda: registry.feature_set("history", 2),
        lambda: registry.archive_feature_set("nobody"),
    )
    for ask in asks:
        with pytest.raises(NotFound, match="no feature set"):
            ask()
    with pytest.raises(InvalidData, match="no feature set's name"):
        registry.feature_set("../history")


def test_a_lineage_has_a_bound(registry: Registry) -> None:
    wide = {f"feature_{number}": (f"transactions.{'x' * 60}", "transactions.id") for number in range(2000)}
    content = feature_set(description="x" * 60_000)
    made = registry.register_feature_set(content, project="lender", lineage=wide)
    assert registry.feature_set("history") == made
    with pytest.raises(InvalidData, match="lineage"):
        registry.register_feature_set(content, project="lender", lineage={**wide, "more": ("x" * 80_000,)})
