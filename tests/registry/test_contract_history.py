"""What every registry promises of history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidData
from tests.registry.making import apply, feature_set, register, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock


@pytest.fixture(autouse=True)
def _history(registry: Registry, tmp_path: Path) -> None:
    apply(registry)
    apply(registry, seed=1)
    register(registry, tmp_path, "one")
    register(registry, tmp_path, "two")
    registry.promote("ke", 1, reason="better")
    registry.rollback("ke", to=2)
    registry.archive_version("ke", 1, reason="old")
    registry.queue_run(run_of())
    registry.cancel_run(run_of().id)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.archive_model("ke", reason="done")


def test_everything_that_happened_is_told_in_order(registry: Registry, clock: Clock) -> None:
    events = registry.changes()
    assert [(event.subject, event.type) for event in events] == [
        ("model:ke", "model.created"),
        ("model:ke", "model.revised"),
        ("model:ke", "version.ready"),
        ("model:ke", "version.ready"),
        ("model:ke", "model.promoted"),
        ("model:ke", "model.rolled_back"),
        ("model:ke", "version.archived"),
        ("run:ke-aaaaaaaaaaaa-1", "run.queued"),
        ("run:ke-aaaaaaaaaaaa-1", "run.cancelled"),
        ("feature_set:history", "feature_set.registered"),
        ("model:ke", "model.archived"),
    ]
    assert {event.by for event in events} == {"amina"}
    assert {event.at for event in events} == {clock.now}
    assert events[4].details["version"] == 1
    assert events[4].details["reason"] == "better"


def test_the_change_cursor_goes_on_where_one_stopped(registry: Registry) -> None:
    everything = registry.changes()
    sequences = [event.sequence for event in everything]
    assert sequences == sorted(set(sequences))
    assert sequences[0] >= 1
    first = registry.changes(limit=4)
    assert (*first, *registry.changes(after=first[-1].sequence)) == tuple(everything)
    assert registry.changes(after=sequences[-1]) == ()


def test_a_subject_s_history_comes_newest_first_in_pages(registry: Registry) -> None:
    page = registry.history("model:ke", limit=5)
    rest = registry.history("model:ke", limit=5, page=page.next)
    of_model = [event for event in registry.changes() if event.subject == "model:ke"]
    assert [*page.items, *rest.items] == of_model[::-1]
    assert rest.next is None
    assert [event.type for event in registry.history("run:ke-aaaaaaaaaaaa-1").items] == ["run.cancelled", "run.queued"]
    assert [event.type for event in registry.history("feature_set:history").items] == ["feature_set.registered"]
    assert registry.history("model:nobody").items == ()


def test_what_is_asked_is_checked(registry: Registry) -> None:
    for subject in ("ke", "model:", "model:../x", "model:ke/x", "pod:ke"):
        with pytest.raises(InvalidData, match="no subject"):
            registry.history(subject)
    for after in (-1, 2**63):
        with pytest.raises(InvalidData):
            registry.changes(after=after)
    with pytest.raises(InvalidData):
        registry.changes(limit=0)
