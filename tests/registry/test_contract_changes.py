"""What following a registry finds, on every registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry import changes
from modelyard.registry.changes import Changes, read_changes
from tests.registry.making import apply, feature_set, run_of

if TYPE_CHECKING:
    import pytest

    from modelyard.registry.registry import Registry


def test_an_empty_registry_is_read_anew_until_something_happened(registry: Registry) -> None:
    assert read_changes(registry, None) == Changes(None, frozenset(), anew=True)


def test_the_models_that_something_happened_to_are_found(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 2)  # several pages, even of few changes
    for name in ("gh", "ke", "ug"):
        apply(registry, name)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.queue_run(run_of())
    first = read_changes(registry, None)
    assert (sorted(first.models), first.anew) == (["gh", "ke", "ug"], True)
    assert first.last == registry.changes()[-1]
    apply(registry, "ke", seed=1)
    second = read_changes(registry, first.last)
    assert (sorted(second.models), second.anew) == (["ke"], False)
    assert read_changes(registry, second.last) == Changes(second.last, frozenset(), anew=False)


def test_a_change_that_is_not_there_any_more_begins_anew(registry: Registry) -> None:
    apply(registry, "ke")
    apply(registry, "ke", seed=1)
    (first, last) = registry.changes()
    for gone in (last.model_copy(update={"sequence": last.sequence + 1}), last.model_copy(update={"by": "somebody"})):
        assert read_changes(registry, gone) == Changes(last, frozenset({"ke"}), anew=True)
    assert read_changes(registry, first) == Changes(last, frozenset({"ke"}), anew=False)
