"""What every registry promises of runs and their logs."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.pages import every
from modelyard.registry.records import Estimate, Outcome, Page, Run, RunProgress, RunState
from tests.registry.making import apply, apply_with_run, definition, run_of, spec_of

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry
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
    apply_with_run(registry, run_of("gh").model_copy(update=forged))
    assert registry.open_runs().items == (run_of(), run_of("gh"))


def test_a_new_run_is_of_a_model(registry: Registry) -> None:
    with pytest.raises(NotFound, match="no model"):
        registry.queue_run(run_of("nobody"))


@pytest.mark.parametrize("attempt", [-1, 0, 10**9, 10**30])
def test_an_attempt_has_room_in_names(registry: Registry, attempt: int) -> None:
    for queue in (
        lambda: registry.queue_run(run_of(attempt=attempt)),
        lambda: apply_with_run(registry, run_of(attempt=attempt)),
    ):
        with pytest.raises(InvalidData, match="attempt"):
            queue()
    assert registry.runs().items == ()
    registry.queue_run(run_of(attempt=10**9 - 1))


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


def test_a_page_that_ends_early_leaves_nothing_out(local: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    large = spec_of(definition(description="x" * 70_000))
    queued = [local.queue_run(run_of(attempt=attempt, spec=large)).id for attempt in range(1, 20)]
    read = local._metadata.open_runs
    cancelled: list[Run] = []

    def read_and_cancel(*, page: str | None, limit: int) -> Page[Run]:
        found = read(page=page, limit=limit)
        if not cancelled:
            cancelled.append(local.cancel_run(queued[0]))
        return found

    monkeypatch.setattr(local._metadata, "open_runs", read_and_cancel)
    assert [run.id for run in every(lambda page: local.open_runs(page=page))] == queued[1:]


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
