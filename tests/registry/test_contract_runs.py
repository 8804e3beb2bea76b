"""What every registry promises of runs and their logs."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.pages import every
from modelyard.registry.records import Estimate, FeatureSetPin, Outcome, Run, RunProgress, RunState
from tests.registries import NOON
from tests.registry.making import DIGEST, apply, definition, feature_set, run_of, spec_of

if TYPE_CHECKING:
    from modelyard.registry.records import ModelRecord
    from modelyard.registry.registry import Registry
    from tests.registries import Clock

RUN_ID = run_of().id


@pytest.fixture(autouse=True)
def _model(registry: Registry) -> None:
    apply(registry)


def test_a_run_is_queued_once(registry: Registry) -> None:
    assert registry.queue_run(run_of()) == run_of()
    moved = registry.update_run(run_of().model_copy(update={"state": RunState.BUILDING}))
    assert registry.queue_run(run_of()) == moved
    assert registry.runs().items == (moved,)


def test_of_a_new_run_only_what_it_asks_for_is_taken_over(registry: Registry, clock: Clock) -> None:
    forged = {
        "state": RunState.SUCCEEDED,
        "sequence": 2,
        "tries": 3,
        "epoch": 2**31 - 1,
        "not_before": clock.now,
        "cancel_requested": True,
        "reason": "waits for nobody",
        "permanent": True,
        "version": 10**30,
        "metrics": {"roc_auc": Estimate(value=1)},
        "remarks": ("x" * 5000,) * 100,
        "project": "another",
        "team": "another",
        "created_at": datetime(1970, 1, 1, tzinfo=UTC),
        "created_by": "zawadi",
        "authors": (),
        "started_at": clock.now,
        "finished_at": datetime(1970, 1, 1, tzinfo=UTC),
    }
    assert set(forged) | {"id", "model", "request", "attempt", "spec"} == set(Run.model_fields)
    assert registry.queue_run(run_of().model_copy(update=forged)) == run_of()
    apply(registry, "gh")
    _applied(registry, run_of("gh").model_copy(update=forged))
    assert registry.open_runs().items == (run_of(), run_of("gh"))


def test_a_new_run_is_of_a_model(registry: Registry) -> None:
    with pytest.raises(NotFound, match="no model"):
        registry.queue_run(run_of("nobody"))


@pytest.mark.parametrize("attempt", [-1, 0, 10**9, 10**30])
def test_an_attempt_has_room_in_names(registry: Registry, attempt: int) -> None:
    for queue in (
        lambda: registry.queue_run(run_of(attempt=attempt)),
        lambda: _applied(registry, run_of(attempt=attempt)),
    ):
        with pytest.raises(InvalidData, match="attempt"):
            queue()
    assert registry.runs().items == ()
    registry.queue_run(run_of(attempt=10**9 - 1))


@pytest.mark.parametrize(
    "changed",
    [{"id": "ke-aaaaaaaaaaaa-1"}, {"attempt": 2}, {"request": DIGEST}, {"spec": run_of("gh").spec}],
    ids=["another id", "another attempt", "another request", "another model's"],
)
def test_a_run_is_called_what_it_asks_for(registry: Registry, changed: dict[str, Any]) -> None:
    odd = run_of().model_copy(update=changed)
    for queue in (lambda: registry.queue_run(odd), lambda: _applied(registry, odd)):
        with pytest.raises(InvalidData, match="follow from what it asks"):
            queue()
    assert registry.runs().items == ()


@pytest.mark.parametrize("spec", [{}, {"definition": []}, {"definition": {}}, {**run_of().spec, "more": 1}])
def test_a_specification_is_one(registry: Registry, spec: dict[str, Any]) -> None:
    odd = run_of().model_copy(update={"spec": spec})
    for queue in (lambda: registry.queue_run(odd), lambda: _applied(registry, odd)):
        with pytest.raises(InvalidData, match="specification of run"):
            queue()
    assert registry.runs().items == ()


def test_an_id_is_that_of_one_request(registry: Registry) -> None:
    apply(registry, "gh")
    registry.queue_run(run_of())
    for other in (run_of(spec=spec_of(definition(), code="b" * 64)), run_of("gh")):
        taken = other.model_copy(update={"id": RUN_ID})
        for queue in (lambda run=taken: registry.queue_run(run), lambda run=taken: _applied(registry, run)):
            with pytest.raises(Conflict, match="the run of another request"):
                queue()
    with pytest.raises(InvalidData, match="came with `gh`"):
        registry.apply_model(definition("gh"), project="lender", expected_revision=1, run=run_of())


def test_a_run_is_not_as_of_what_is_to_come(registry: Registry) -> None:
    late = run_of(spec=spec_of(definition(), as_of=NOON + timedelta(seconds=1)))
    for queue in (lambda: registry.queue_run(late), lambda: _applied(registry, late)):
        with pytest.raises(InvalidData, match="still to come"):
            queue()
    nowhere = run_of().model_copy(update={"spec": {**run_of().spec, "as_of": "2026-11-20T00:00:00"}})
    with pytest.raises(InvalidData, match="as_of"):
        registry.queue_run(nowhere)
    now = run_of(spec=spec_of(definition(), as_of=NOON))
    assert registry.queue_run(now).id == now.id


def test_a_run_is_of_the_definition_that_is_applied(registry: Registry) -> None:
    apply(registry, seed=1)
    with pytest.raises(Conflict, match="is not the one applied") as caught:
        registry.queue_run(run_of())
    assert caught.value.hint == "plan again, then apply"
    with pytest.raises(Conflict, match="is not the one applied"):
        registry.apply_model(definition(seed=2), project="lender", expected_revision=2, run=run_of())
    _applied(registry, run_of())
    assert registry.queue_run(run_of()) == registry.run(RUN_ID)


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


def _applied(registry: Registry, run: Run) -> ModelRecord:
    revision = registry.model(run.model).revision
    return registry.apply_model(definition(run.model), project="lender", expected_revision=revision, run=run)


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


def test_a_change_is_conditioned_on_the_sequence(registry: Registry, clock: Clock) -> None:
    queued = registry.queue_run(run_of())
    building = queued.model_copy(update={"state": RunState.BUILDING, "tries": 1, "started_at": clock.now})
    changed = registry.update_run(building)
    assert changed == building.model_copy(update={"sequence": 2})
    assert registry.run(RUN_ID) == changed
    with pytest.raises(Conflict, match="sequence 2"):
        registry.update_run(queued.model_copy(update={"state": RunState.TRAINING}))
    assert registry.update_run(building) == changed, "the same change again is answered as the first"
    assert registry.update_run(changed.model_copy(update={"tries": 2})).sequence == 3


def test_a_run_ends_once(registry: Registry, clock: Clock) -> None:
    queued = registry.queue_run(run_of())
    metrics = {"roc_auc": Estimate(value=0.7)}
    done = queued.model_copy(update={"state": RunState.SUCCEEDED, "version": 1, "metrics": metrics})
    ended = registry.update_run(done)
    assert (ended.finished_at, ended.sequence) == (clock.now, 2)
    clock.pass_(hours=1)
    assert registry.update_run(done) == ended
    with pytest.raises(Conflict, match="SUCCEEDED"):
        registry.update_run(ended.model_copy(update={"state": RunState.QUEUED}))
    assert registry.cancel_run(RUN_ID) == ended
    assert registry.open_runs().items == ()


def test_what_a_run_asks_for_never_changes(registry: Registry) -> None:
    queued = registry.queue_run(run_of())
    for changed in ({"spec": {"as_of": "x"}}, {"request": "b" * 64}, {"model": "gh"}, {"attempt": 2}):
        with pytest.raises(InvalidData, match="never changes"):
            registry.update_run(queued.model_copy(update=changed))


def test_a_queued_run_is_cancelled_at_once(registry: Registry, clock: Clock) -> None:
    registry.queue_run(run_of())
    cancelled = registry.cancel_run(RUN_ID)
    assert (cancelled.state, cancelled.finished_at) == (RunState.CANCELLED, clock.now)
    assert registry.cancel_run(RUN_ID) == cancelled


def test_a_run_in_progress_is_asked_to_end(registry: Registry) -> None:
    building = registry.update_run(registry.queue_run(run_of()).model_copy(update={"state": RunState.BUILDING}))
    asked = registry.cancel_run(RUN_ID)
    assert (asked.state, asked.cancel_requested, asked.sequence) == (RunState.BUILDING, True, 3)
    assert registry.cancel_run(RUN_ID) == asked
    with pytest.raises(Conflict):
        registry.update_run(building.model_copy(update={"state": RunState.TRAINING}))


def test_runs_come_in_pages(registry: Registry) -> None:
    apply(registry, "gh")
    ids = [registry.queue_run(run_of(attempt=number)).id for number in range(1, 5)]
    registry.queue_run(run_of("gh"))
    registry.cancel_run(ids[1])
    page = registry.runs(limit=2)
    assert [run.id for run in page.items] == [run_of("gh").id, ids[3]]
    assert [run.id for run in registry.runs(limit=9, page=page.next).items] == [ids[2], ids[1], ids[0]]
    first = registry.runs(model="ke", limit=3)
    assert [run.id for run in first.items] == [ids[3], ids[2], ids[1]]
    assert [run.id for run in registry.runs(model="ke", limit=3, page=first.next).items] == [ids[0]]
    waiting = registry.open_runs(limit=2)
    assert [run.id for run in waiting.items] == [ids[0], ids[2]]
    assert [run.id for run in registry.open_runs(page=waiting.next).items] == [ids[3], run_of("gh").id]
    with pytest.raises(NotFound):
        registry.runs(model="nobody")


def test_a_log_is_kept_and_replaced(registry: Registry) -> None:
    registry.queue_run(run_of())
    with pytest.raises(NotFound, match="no log"):
        b"".join(registry.read_run_log(RUN_ID))
    registry.write_run_log(RUN_ID, io.BytesIO(b"fitting\n"))
    long = "fitting · 41 200 rows\n".encode() * 200_000
    registry.write_run_log(RUN_ID, io.BytesIO(long))
    assert b"".join(registry.read_run_log(RUN_ID)) == long
    registry.write_run_log(RUN_ID, io.BytesIO(b""))
    assert b"".join(registry.read_run_log(RUN_ID)) == b""


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    for ask in (
        lambda: registry.run("nobody"),
        lambda: registry.cancel_run("nobody"),
        lambda: registry.update_run(run_of()),
        lambda: registry.write_run_log("nobody", io.BytesIO(b"x")),
        lambda: b"".join(registry.read_run_log("nobody")),
    ):
        with pytest.raises(NotFound, match="no run"):
            ask()


@pytest.mark.parametrize("run_id", ["../x", "A", "a/b", "a_b", "", "x" * 64, "a\n", "1a"])
def test_an_id_is_an_id(registry: Registry, run_id: str) -> None:
    for ask in (
        lambda: registry.run(run_id),
        lambda: registry.queue_run(run_of().model_copy(update={"id": run_id})),
        lambda: registry.write_run_log(run_id, io.BytesIO(b"x")),
    ):
        with pytest.raises(InvalidData):
            ask()


def test_a_run_s_values_are_checked(registry: Registry) -> None:
    queued = registry.queue_run(run_of())
    naive = datetime(2026, 1, 1)
    for changed in (
        {"metrics": {"roc_auc": Estimate(value=float("nan"))}},
        {"metrics": {"m" * 201: Estimate(value=1)}},
        {"metrics": {f"metric {number}": Estimate(value=1) for number in range(101)}},
        {"created_at": naive},
        {"not_before": naive},
        {"reason": "x" * 4001},
        {"reason": "\ud800"},
        {"request": "../x"},
        {"spec": {"x": float("nan")}},
        {"tries": -1},
        {"tries": 10**9},
        {"epoch": -1},
        {"epoch": 2**31 - 2},
        {"sequence": 2**53},
        {"version": 0},
        {"version": 10**30},
        {"remarks": ("x",) * 51},
        {"remarks": ("x" * 1001,)},
    ):
        with pytest.raises(InvalidData):
            registry.update_run(queued.model_copy(update=changed))
    assert registry.runs().items == (queued,)


def test_a_page_holds_few_large_specifications(registry: Registry) -> None:
    large = spec_of(definition(description="x" * 70_000))
    queued = [registry.queue_run(run_of(attempt=attempt, spec=large)).id for attempt in range(1, 20)]
    assert [run.id for run in registry.open_runs(limit=100).items] == queued[:16]
    assert [run.id for run in every(lambda page: registry.open_runs(page=page))] == queued
    assert [run.id for run in every(lambda page: registry.runs(page=page))] == queued[::-1]
    assert [run.id for run in every(lambda page: registry.runs(model="ke", page=page))] == queued[::-1]


def test_the_largest_run_fits(registry: Registry) -> None:
    queued = registry.queue_run(run_of(spec=spec_of(definition(description="x" * 60_000))))
    said = {
        "reason": "𐍈" * 4000,
        "remarks": ("𐍈" * 1000,) * 50,
        "metrics": {f"{number:03}{'𐍈' * 197}": Estimate(value=1 / 3, low=1 / 7, high=2 / 3) for number in range(100)},
    }
    assert registry.update_run(queued.model_copy(update=said)).sequence == 2


def test_how_far_a_run_has_come_is_kept_and_replaced(registry: Registry, clock: Clock) -> None:
    registry.queue_run(run_of())
    assert registry.run_progress(RUN_ID) is None
    training = registry.update_run(run_of().model_copy(update={"state": RunState.TRAINING, "tries": 1}))
    told = RunProgress(run=RUN_ID, tries=1, part=0.5, doing="fitting", metrics={"roc_auc": Estimate(value=0.7)})
    kept = registry.report_progress(told)
    assert kept == told.model_copy(update={"at": clock.now})
    assert registry.run_progress(RUN_ID) == kept
    outcome = Outcome(ok=False, reason="bad data", permanent=True)
    last = registry.report_progress(told.model_copy(update={"part": 1, "outcome": outcome}))
    assert registry.run_progress(RUN_ID) == last
    assert registry.run(RUN_ID) == training, "progress changes nothing of a run"


def test_a_try_that_is_over_has_nothing_to_say(registry: Registry) -> None:
    again = registry.update_run(
        registry.queue_run(run_of()).model_copy(update={"state": RunState.TRAINING, "tries": 2})
    )
    for tries in (0, 1, 3):
        with pytest.raises(Conflict, match="at try 2"):
            registry.report_progress(RunProgress(run=RUN_ID, tries=tries))
    registry.update_run(again.model_copy(update={"state": RunState.FAILED}))
    with pytest.raises(Conflict, match="FAILED"):
        registry.report_progress(RunProgress(run=RUN_ID, tries=2))
    assert registry.run_progress(RUN_ID) is None


def test_progress_is_checked(registry: Registry) -> None:
    registry.queue_run(run_of())
    fine = RunProgress(run=RUN_ID, tries=0)
    nothing = Estimate(value=float("nan"))
    for changed in (
        {"doing": "x" * 4001},
        {"metrics": {"roc_auc": nothing}},
        {"outcome": Outcome(ok=True, metrics={f"metric {number}": Estimate(value=1) for number in range(101)})},
        {"outcome": Outcome(ok=False, reason="\ud800")},
        {"outcome": Outcome(ok=True, metrics={"roc_auc": nothing})},
        {"outcome": Outcome(ok=True, version=10**30)},
        {"run": "../x"},
    ):
        with pytest.raises(InvalidData):
            registry.report_progress(fine.model_copy(update=changed))
    with pytest.raises(NotFound, match="no run"):
        registry.report_progress(fine.model_copy(update={"run": "nobody"}))
    with pytest.raises(NotFound, match="no run"):
        registry.run_progress("nobody")


def test_a_controller_whose_successor_has_moved_a_run_is_refused(registry: Registry) -> None:
    moved = registry.update_run(registry.queue_run(run_of()).model_copy(update={"tries": 1, "epoch": 5}))
    with pytest.raises(Conflict, match="epoch 5"):
        registry.update_run(moved.model_copy(update={"state": RunState.FAILED, "epoch": 4}))
    assert registry.run(RUN_ID) == moved
    assert registry.update_run(moved.model_copy(update={"epoch": 6})).epoch == 6
