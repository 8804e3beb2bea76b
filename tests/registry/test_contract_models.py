"""What every registry promises of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.documents import LARGEST_INLINE
from modelyard.registry.pages import every
from modelyard.registry.records import RunState
from tests.registry.making import (
    all_changes,
    apply,
    claim_of,
    definition,
    feature_set,
    register,
    run_of,
    source,
    spec_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock


def test_a_model_is_created_then_revised(registry: Registry, clock: Clock) -> None:
    created = registry.apply_model(definition(), project="lender", expected_revision=0)
    assert (created.name, created.project, created.team, created.timezone) == ("ke", "lender", "credit-ke", "UTC")
    assert (created.revision, created.latest, created.promotions) == (1, None, 0)
    assert created.created_at == created.updated_at == clock.now
    begun = clock.now
    clock.pass_(hours=1)
    changed = definition(owner="risk", timezone="Africa/Nairobi")
    revised = registry.apply_model(changed, project="lender", expected_revision=1)
    assert (revised.revision, revised.team, revised.timezone) == (2, "risk", "Africa/Nairobi")
    assert (revised.created_at, revised.updated_at) == (begun, clock.now)
    assert revised.config == created.config
    assert registry.model("ke") == revised
    assert registry.model("ke").definition == changed


def test_a_training_change_has_another_config_digest(registry: Registry) -> None:
    first = apply(registry)
    assert apply(registry, seed=7).config != first.config


def test_applying_the_same_again_changes_nothing(registry: Registry) -> None:
    run = run_of()
    first = registry.apply_model(definition(), project="lender", expected_revision=0, run=run)
    again = registry.apply_model(definition(), project="lender", expected_revision=0, run=run)
    assert again == first
    assert [queued.id for queued in registry.runs(model="ke").items] == [run.id]
    kinds = sorted(event.type for event in all_changes(registry))
    assert kinds == ["model.created", "run.queued"]


def test_another_run_is_queued_without_a_revision(registry: Registry) -> None:
    apply(registry)
    again = registry.apply_model(definition(), project="lender", expected_revision=1, run=run_of())
    assert again.revision == 1
    assert registry.run(run_of().id).state is RunState.QUEUED
    with pytest.raises(Conflict, match="revision 1"):
        registry.apply_model(definition(), project="lender", expected_revision=9, run=run_of(attempt=2))


def test_a_stale_plan_is_refused(registry: Registry) -> None:
    apply(registry)
    apply(registry, seed=1)
    for expected in (0, 1, 3):
        with pytest.raises(Conflict, match="plan again"):
            registry.apply_model(definition(seed=2), project="lender", expected_revision=expected)
    assert registry.model("ke").revision == 2


def test_a_refused_revision_queues_no_run(registry: Registry) -> None:
    apply(registry)
    with pytest.raises(Conflict):
        registry.apply_model(definition(seed=2), project="lender", expected_revision=0, run=run_of())
    assert registry.runs().items == ()


def test_a_model_belongs_to_its_project(registry: Registry) -> None:
    apply(registry)
    with pytest.raises(Conflict, match="belongs to project `lender`"):
        registry.apply_model(definition(), project="other", expected_revision=1)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"document": {"name": "ke"}},
        {"document": []},
        {**definition(), "surprise": 1},
        definition(seed="seven"),
        definition(timezone="Mars/Olympus"),
        definition("../ke"),
        {**definition(), "sources": {"loans": {**source(), "path": "\ud800"}}},
        {**definition(), "bundles": {"x": float("nan")}},
        {**definition(), "sources": {}},
        {**definition(feature_sets={"history": feature_set()}), "feature_sets": {}},
    ],
)
def test_a_broken_definition_is_refused(registry: Registry, broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidData):
        registry.apply_model(broken, project="lender", expected_revision=0)
    assert registry.models().items == ()


def test_a_definition_that_nests_without_end_is_refused(registry: Registry) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidData):
        registry.apply_model({**definition(), "bundles": deep}, project="lender", expected_revision=0)


def test_models_come_by_name_in_pages(registry: Registry) -> None:
    for name in ("ug", "gh", "ke"):
        apply(registry, name)
    registry.archive_model("gh")
    page = registry.models(limit=2)
    assert [model.name for model in page.items] == ["gh", "ke"]
    assert [model.name for model in registry.models(limit=2, page=page.next).items] == ["ug"]


def test_archiving_a_model_ends_its_runs_and_what_is_live(registry: Registry, tmp_path: Path, clock: Clock) -> None:
    apply(registry)
    apply(registry, "gh")
    register(registry, tmp_path)
    registry.promote("ke", 1)
    registry.queue_run(run_of())
    registry.queue_run(run_of("gh"))
    clock.pass_(days=2)
    assert registry.live("ke", clock.now) is not None
    archived = registry.archive_model("ke", reason="retired")
    assert (archived.archived_at, archived.revision, archived.promotions) == (clock.now, 2, 2)
    assert registry.live("ke", clock.now) is None
    assert registry.run(run_of().id).state is RunState.CANCELLED
    assert [run.model for run in registry.open_runs().items] == ["gh"]
    assert registry.archive_model("ke") == archived
    for refused in (
        lambda: registry.promote("ke", 1),
        lambda: registry.rollback("ke"),
        lambda: registry.queue_run(run_of(attempt=2)),
    ):
        with pytest.raises(Conflict, match="archived"):
            refused()


def test_applying_brings_an_archived_model_back(registry: Registry, tmp_path: Path, clock: Clock) -> None:
    apply(registry)
    register(registry, tmp_path)
    registry.rollback("ke", to=1)
    clock.pass_(hours=1)
    registry.archive_model("ke")
    clock.pass_(hours=1)
    back = registry.apply_model(definition(), project="lender", expected_revision=2)
    assert (back.archived_at, back.revision, back.latest, back.promotions) == (None, 3, 1, 2)
    assert registry.live("ke", clock.now) is None
    registry.rollback("ke")
    live = registry.live("ke", clock.now)
    assert live is not None
    assert live.number == 1


def test_a_large_definition_is_kept_whole(registry: Registry, tmp_path: Path) -> None:
    columns = {f"a_column_with_a_long_name_{number}": "double" for number in range(4000)}
    large = definition()
    large["sources"]["loans"]["columns"].update(columns)
    run = run_of(spec=spec_of(large))
    record = registry.apply_model(large, project="lender", expected_revision=0, run=run)
    assert record.definition == registry.model("ke").definition == registry.models().items[0].definition == large
    assert registry.run(run.id).spec == registry.runs().items[0].spec == run.spec
    assert registry.apply_model(large, project="lender", expected_revision=0) == record
    documents = list((tmp_path / "home" / "artifacts" / "documents").iterdir())
    assert len(documents) == 2
    assert all(path.stat().st_size > LARGEST_INLINE for path in documents)


def test_a_definition_has_an_end(registry: Registry) -> None:
    huge = definition()
    huge["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(60_000)})
    with pytest.raises(InvalidData, match="are possible"):
        registry.apply_model(huge, project="lender", expected_revision=0)


def test_who_depends_on_whom_is_remembered(registry: Registry, tmp_path: Path) -> None:
    apply(registry)
    apply(registry, "gh", feature_sets={"history": feature_set()})
    register(registry, tmp_path, model="ke", sets=2)
    assert registry.dependents("source:loans").items == ("model:gh", "model:ke")
    assert registry.dependents("feature_set:history").items == ("model:gh",)
    assert registry.dependents("feature_set:set_1").items == ("model:ke",)
    assert registry.dependents("source:nobody").items == ()
    page = registry.dependents("source:loans", limit=1)
    assert registry.dependents("source:loans", limit=1, page=page.next).items == ("model:ke",)
    with pytest.raises(InvalidData, match="no subject"):
        registry.dependents("loans")


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    asks: tuple[Callable[[], object], ...] = (
        lambda: registry.model("nobody"),
        lambda: registry.archive_model("nobody"),
    )
    for ask in asks:
        with pytest.raises(NotFound, match="no model `nobody`"):
            ask()


@pytest.mark.parametrize("project", ["", "../lender", "a b", "x" * 101])
def test_a_project_has_a_name(registry: Registry, project: str) -> None:
    with pytest.raises(InvalidData, match="no project's name"):
        registry.apply_model(definition(), project=project, expected_revision=0)


@pytest.mark.parametrize("reason", ["x" * 4001, "\ud800"])
def test_a_reason_is_a_text(registry: Registry, reason: str) -> None:
    apply(registry)
    registry.claim(claim_of())
    with pytest.raises(InvalidData):
        registry.archive_model("ke", reason=reason)
    assert registry.model("ke").archived_at is None


def test_a_page_holds_few_large_definitions(registry: Registry) -> None:
    names = [f"m{number:02}" for number in range(40)]
    for name in names:
        description = "x" * 70_000 if name < "m20" else ""
        registry.apply_model(definition(name, description=description), project="lender", expected_revision=0)
    assert [model.name for model in registry.models(limit=100).items] == names[:16]
    assert [model.name for model in every(lambda page: registry.models(page=page, limit=100))] == names
    assert [model.name for model in every(lambda page: registry.models(page=page, limit=7))] == names
