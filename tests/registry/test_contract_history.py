"""What every registry promises of history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidData
from tests.registry.making import all_changes, apply, definition, feature_set, register, run_of, spec_of

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock

RUN = run_of(spec=spec_of(definition(seed=1)))


@pytest.fixture(autouse=True)
def _history(registry: Registry, tmp_path: Path) -> None:
    apply(registry)
    apply(registry, seed=1)
    register(registry, tmp_path, "one")
    register(registry, tmp_path, "two")
    registry.promote("ke", 1, reason="better")
    registry.rollback("ke", to=2)
    registry.archive_version("ke", 1, reason="old")
    registry.queue_run(RUN)
    registry.cancel_run(RUN.id)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.archive_model("ke", reason="done")


def test_everything_that_happened_is_told_in_order(registry: Registry, clock: Clock) -> None:
    events = all_changes(registry)
    assert [event.type for event in events if event.subject == "model:ke"] == [
        "model.created",
        "model.revised",
        "version.ready",
        "version.ready",
        "model.promoted",
        "model.rolled_back",
        "version.archived",
        "model.archived",
    ]
    others = [(event.subject, event.type) for event in events if event.subject != "model:ke"]
    assert sorted(others) == [
        ("feature_set:history", "feature_set.registered"),
        (f"run:{RUN.id}", "run.cancelled"),
        (f"run:{RUN.id}", "run.queued"),
    ]
    assert {event.by for event in events} == {"amina"}
    assert {event.at for event in events} == {clock.now}
    (promoted,) = (event for event in events if event.type == "model.promoted")
    assert promoted.details["version"] == 1
    assert promoted.details["reason"] == "better"


def test_positions_of_a_subject_only_grow(registry: Registry) -> None:
    sequences = [event.sequence for event in all_changes(registry) if event.subject == "model:ke"]
    assert sequences == sorted(set(sequences))
    assert sequences[0] >= 1


def test_a_subject_s_history_comes_newest_first_in_pages(registry: Registry) -> None:
    page = registry.history("model:ke", limit=5)
    rest = registry.history("model:ke", limit=5, page=page.next)
    of_model = [event for event in all_changes(registry) if event.subject == "model:ke"]
    assert [*page.items, *rest.items] == of_model[::-1]
    assert rest.next is None
    assert [event.type for event in registry.history(f"run:{RUN.id}").items] == ["run.cancelled", "run.queued"]
    assert [event.type for event in registry.history("feature_set:history").items] == ["feature_set.registered"]
    assert registry.history("model:nobody").items == ()


def test_what_is_asked_is_checked(registry: Registry) -> None:
    for subject in ("ke", "model:", "model:../x", "model:ke/x", "pod:ke"):
        with pytest.raises(InvalidData, match="no subject"):
            registry.history(subject)
    with pytest.raises(InvalidData):
        registry.changes(limit=0)
