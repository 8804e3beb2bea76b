"""What every registry promises of what a run asks for: its specification, checked as it is queued."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.records import FeatureSetPin, RunState
from tests.registries import NOON
from tests.registry.making import DIGEST, apply, apply_with_run, definition, feature_set, run_of, spec_of

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry


@pytest.fixture(autouse=True)
def _model(registry: Registry) -> None:
    apply(registry)


@pytest.mark.parametrize(
    "changed",
    [{"id": "ke-aaaaaaaaaaaa-1"}, {"attempt": 2}, {"request": DIGEST}, {"spec": run_of("gh").spec}],
    ids=["another id", "another attempt", "another request", "another model's"],
)
def test_a_run_is_called_what_it_asks_for(registry: Registry, changed: dict[str, Any]) -> None:
    odd = run_of().model_copy(update=changed)
    for queue in (lambda: registry.queue_run(odd), lambda: apply_with_run(registry, odd)):
        with pytest.raises(InvalidData, match="follow from what it asks"):
            queue()
    assert registry.runs().items == ()


@pytest.mark.parametrize("spec", [{}, {"definition": []}, {"definition": {}}, {**run_of().spec, "more": 1}])
def test_a_specification_is_one(registry: Registry, spec: dict[str, Any]) -> None:
    odd = run_of().model_copy(update={"spec": spec})
    for queue in (lambda: registry.queue_run(odd), lambda: apply_with_run(registry, odd)):
        with pytest.raises(InvalidData, match="specification of run"):
            queue()
    assert registry.runs().items == ()


def test_an_id_is_that_of_one_request(registry: Registry) -> None:
    apply(registry, "gh")
    registry.queue_run(run_of())
    for other in (run_of(spec=spec_of(definition(), code="b" * 64)), run_of("gh")):
        taken = other.model_copy(update={"id": run_of().id})
        for queue in (lambda run=taken: registry.queue_run(run), lambda run=taken: apply_with_run(registry, run)):
            with pytest.raises(Conflict, match="the run of another request"):
                queue()
    with pytest.raises(InvalidData, match="came with `gh`"):
        registry.apply_model(definition("gh"), project="lender", expected_revision=1, run=run_of())


def test_a_run_is_not_as_of_what_is_to_come(registry: Registry) -> None:
    late = run_of(spec=spec_of(definition(), as_of=NOON + timedelta(seconds=1)))
    for queue in (lambda: registry.queue_run(late), lambda: apply_with_run(registry, late)):
        with pytest.raises(InvalidData, match="still to come"):
            queue()
    nowhere = run_of().model_copy(update={"spec": {**run_of().spec, "as_of": "2026-11-20T00:00:00"}})
    with pytest.raises(InvalidData, match="as_of"):
        registry.queue_run(nowhere)
    now = run_of(spec=spec_of(definition(), as_of=NOON))
    assert registry.queue_run(now).id == now.id


def test_a_run_is_of_the_definition_that_isapply_with_run(registry: Registry) -> None:
    apply(registry, seed=1)
    with pytest.raises(Conflict, match="is not the one applied") as caught:
        registry.queue_run(run_of())
    assert caught.value.hint == "plan again, then apply"
    with pytest.raises(Conflict, match="is not the one applied"):
        registry.apply_model(definition(seed=2), project="lender", expected_revision=2, run=run_of())
    apply_with_run(registry, run_of())
    assert registry.queue_run(run_of()) == registry.run(run_of().id)


def test_a_run_counts_days_and_computes_features_as_its_model_does(registry: Registry) -> None:
    used = {"history": feature_set()}
    apply(registry, feature_sets=used)
    newer = feature_set(window="7d")
    pins = [_registered(registry, content) for content in (used["history"], newer)]
    elsewhere = spec_of(definition(feature_sets=used, timezone="Asia/Tokyo"), feature_sets=pins[:1])
    otherwise = spec_of(definition(feature_sets={"history": newer}), feature_sets=pins[1:])
    for odd in (elsewhere, otherwise):
        with pytest.raises(Conflict, match="is not the one applied"):
            registry.queue_run(run_of(spec=odd))
    usual = run_of(spec=spec_of(definition(feature_sets=used), feature_sets=pins[:1]))
    assert registry.queue_run(usual).state is RunState.QUEUED


def test_a_run_pins_the_feature_sets_of_its_definition(registry: Registry) -> None:
    used = {"history": feature_set()}
    apply(registry, feature_sets=used)
    pin, newer, other = (
        _registered(registry, content)
        for content in (used["history"], feature_set(window="7d"), feature_set("devices"))
    )
    for pins in ([], [newer], [pin, pin], [pin, newer], [pin, other], [pin.model_copy(update={"name": "../x"})]):
        with pytest.raises(InvalidData, match="does not pin each"):
            registry.queue_run(run_of(spec=spec_of(definition(feature_sets=used), feature_sets=pins)))


def test_a_run_pins_versions_of_feature_sets_that_are_there(registry: Registry) -> None:
    used = {"history": feature_set()}
    apply(registry, feature_sets=used)
    _registered(registry, feature_set(window="7d"))
    pin = _registered(registry, used["history"])
    for number in (1, 3):
        odd = spec_of(definition(feature_sets=used), feature_sets=[pin.model_copy(update={"version": number})])
        with pytest.raises(Conflict, match="which is not there so"):
            registry.queue_run(run_of(spec=odd))
    odd = spec_of(definition(feature_sets=used), feature_sets=[pin.model_copy(update={"version": 2**70})])
    with pytest.raises(NotFound):
        registry.queue_run(run_of(spec=odd))


def _registered(registry: Registry, content: dict[str, Any]) -> FeatureSetPin:
    version = registry.register_feature_set(content, project="lender", lineage={})
    return FeatureSetPin(name=version.name, version=version.number, digest=version.digest)


@pytest.mark.parametrize("levels", [101, 150, 200, 254, 300, 700])
def test_a_spec_that_could_not_be_read_again_is_refused(registry: Registry, levels: int) -> None:
    with pytest.raises(InvalidData):
        registry.queue_run(run_of().model_copy(update={"spec": nested(levels)}))
    assert registry.open_runs().items == ()


def test_a_spec_may_nest(registry: Registry) -> None:
    deep = definition(pipeline=[{"use": "own.Model", "with": nested(90)}])
    queued = run_of(spec=spec_of(deep))
    registry.apply_model(deep, project="lender", expected_revision=1, run=queued)
    assert registry.open_runs().items == (queued,)


def nested(levels: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for _ in range(levels - 1):
        content = {"a": content}
    return content
