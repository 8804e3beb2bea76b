"""The loop, with the real registry and datasets; only the processes are played."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import Unavailable
from modelyard.registry.checks import GREATEST_COUNT
from modelyard.registry.records import RunState
from modelyard.registry.transfer import register_version
from modelyard.training.job_names import is_build, run_of
from modelyard.training.launchers.launcher import Job, JobState
from modelyard.training.moves import TRIES
from modelyard.training.reconcile import Reconciler
from modelyard.training.requests import plan_run
from tests.registry.making import claim_of, write_files
from tests.training import yard
from tests.training.played import Yard

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_goes_from_queued_to_live(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    assert loop.step()[run.id].state is RunState.BUILDING
    (build,) = place.launcher.running
    place.launcher.end(build)
    fitting = loop.step()[run.id]
    assert fitting.state is RunState.TRAINING
    (training,) = place.launcher.running
    assert run_of(training) == run.id
    assert loop.step() == {run.id: fitting}
    place.launcher.end(training)
    done = loop.step()[run.id]
    assert (done.state, done.version, done.tries, done.reason) == (RunState.SUCCEEDED, 1, 1, "")
    assert place.launcher.jobs == {}
    (fact,) = place.registry.promotions("loans")
    assert (fact.version, fact.reason) == (1, f"run {run.id}")
    assert b"".join(place.registry.read_run_log(run.id)) == f"log of {training}".encode()
    assert loop.step() == {}


def test_asking_again_for_the_same_is_answered_with_what_is_there(place: Yard) -> None:
    first = place.queue()
    asked = yard.spec(yard.definition())
    assert plan_run(place.registry, asked, project="tests", actor="tests").id == first.id
    place.play()
    assert plan_run(place.registry, asked, project="tests", actor="tests").state is RunState.SUCCEEDED
    again = plan_run(place.registry, asked, project="tests", actor="tests", again=True)
    assert (again.attempt, again.state) == (2, RunState.QUEUED)
    place.registry.queue_run(again)
    place.play("badly")
    other = plan_run(place.registry, asked, project="tests", actor="tests", again=True)
    assert other.attempt == 3
    assert plan_run(place.registry, asked, project="tests", actor="tests").attempt == 1


def test_a_version_that_was_registered_by_hand_is_no_attempt(place: Yard, tmp_path: Path) -> None:
    run = place.queue()
    place.play()
    by_hand = claim_of("by hand", run.model, request=run.request).model_copy(update={"attempt": GREATEST_COUNT})
    register_version(place.registry, by_hand, write_files(tmp_path / "made"))
    asked = yard.spec(yard.definition())
    assert plan_run(place.registry, asked, project="tests", actor="tests").id == run.id
    assert plan_run(place.registry, asked, project="tests", actor="tests", again=True).attempt == 2


def test_what_failed_is_tried_anew_when_asked_again(place: Yard) -> None:
    place.queue()
    place.play("badly")
    again = place.queue()
    assert (again.attempt, again.state) == (2, RunState.QUEUED)


def test_runs_with_one_training_set_share_the_job_that_builds_it(place: Yard) -> None:
    runs = [place.queue(name, seed=seed) for seed, name in enumerate(("ke", "gh", "ug"))]
    loop = place.loop()
    loop.step()
    assert {place.state(run) for run in runs} == {RunState.BUILDING}
    (build,) = place.launcher.running
    place.launcher.end(build)
    loop.step()
    loop.step()
    assert [place.state(run) for run in runs] == [RunState.TRAINING, RunState.TRAINING, RunState.BUILDING]
    assert place.registry.run(runs[2].id).reason == "waits for free cores: 2 of 2 are taken"
    for name in place.launcher.running:
        place.launcher.end(name)
    loop.step()
    assert place.state(runs[2]) is RunState.TRAINING
    assert sum(is_build(name) for name in place.launcher.started) == 1


def test_a_build_whose_process_is_ending_takes_no_core(tmp_path: Path) -> None:
    place = Yard(tmp_path, parallel=1)
    run = place.queue()
    loop = place.loop()
    loop.step()
    (build,) = place.launcher.running
    running = place.launcher.jobs[build]
    place.launcher.end(build)
    place.launcher.jobs[build] = running
    assert loop.step()[run.id].state is RunState.TRAINING
    assert place.launcher.cancelled == [build]


def test_a_run_that_asks_for_more_than_there_is_runs_alone(place: Yard) -> None:
    large = place.queue("large", resources={"cpu": 8})
    small = place.queue("small", data={"from": "2026-01-01"})
    loop = place.loop()
    for _ in range(3):
        loop.step()
        for name in place.launcher.running:
            if is_build(name):
                place.launcher.end(name)
    assert [place.state(run) for run in (large, small)] == [RunState.TRAINING, RunState.BUILDING]


def test_a_failure_for_good_is_not_tried_again(place: Yard) -> None:
    run = place.queue()
    place.play("badly")
    ended = place.registry.run(run.id)
    assert (ended.state, ended.tries, ended.permanent, ended.reason) == (RunState.FAILED, 1, True, "bad data")


def test_a_death_is_tried_again_after_a_while_and_thrice_at_most(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    loop.step()
    place.launcher.end(place.launcher.running[0], "suddenly")
    loop.step()
    waiting = place.registry.run(run.id)
    assert waiting.state is RunState.QUEUED
    assert waiting.not_before == place.clock.now + timedelta(seconds=2)
    assert waiting.reason == "try 1 of 3 failed: the process ended without an outcome"
    assert place.launcher.jobs == {}
    loop.step()
    assert place.launcher.running == []
    place.play("suddenly")
    ended = place.registry.run(run.id)
    assert (ended.state, ended.tries, ended.permanent) == (RunState.FAILED, TRIES, False)
    assert ended.reason == "the process ended without an outcome; tried 3 times"


def test_a_death_that_nobody_saw_is_not_held_against_the_run(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    for _ in range(2 * TRIES):
        loop.step()
        (name,) = place.launcher.running
        place.launcher.end(name, "unseen")
        loop.step()
        waiting = place.registry.run(run.id)
        assert (waiting.state, waiting.not_before) == (RunState.QUEUED, None)
        assert waiting.reason == "interrupted: the process ended without an outcome"
    place.play()
    assert place.state(run) is RunState.SUCCEEDED


def test_a_process_that_dies_after_its_work_made_one_version(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    loop.step()
    place.launcher.end(place.launcher.running[0])
    loop.step()
    place.launcher.end(place.launcher.running[0], "late")
    place.play()
    assert place.registry.run(run.id).version == 1
    assert [version.number for version in place.registry.versions("loans").items] == [1]


@pytest.mark.parametrize("when", ["queued", "building", "training", "done"])
def test_cancel(place: Yard, when: str) -> None:
    run = place.queue()
    loop = place.loop()
    stages = {"queued": 0, "building": 1, "training": 2, "done": 2}
    for _ in range(stages[when]):
        loop.step()
        if is_build(place.launcher.running[0]):
            place.launcher.end(place.launcher.running[0])
            loop.step() if when != "building" else None
    if when == "done":
        place.launcher.end(place.launcher.running[0])
    place.registry.cancel_run(run.id)
    loop.step()
    loop.step()
    ended = place.registry.run(run.id)
    assert ended.state is (RunState.SUCCEEDED if when == "done" else RunState.CANCELLED)
    assert place.launcher.jobs == {}
    assert place.registry.live("loans", place.clock.now + timedelta(days=2)) is None
    if when == "done":
        assert ended.reason == "version 1 was registered before the run could be cancelled; it is not promoted"


def test_a_build_that_another_run_needs_survives_a_cancel(place: Yard) -> None:
    first, second = place.queue("ke"), place.queue("gh", seed=1)
    loop = place.loop()
    loop.step()
    loop.step()
    place.registry.cancel_run(first.id)
    loop.step()
    assert len(place.launcher.running) == 1
    place.registry.cancel_run(second.id)
    loop.step()
    assert place.launcher.jobs == {}


def test_manual_promotion_is_left_to_people(place: Yard) -> None:
    run = place.queue(promotion="manual")
    place.play()
    assert place.registry.run(run.id).version == 1
    assert not place.registry.promotions("loans")


def test_a_version_that_needs_approval_goes_live_when_it_has_it(place: Yard) -> None:
    run = place.queue(approval="required")
    place.play()
    ended = place.registry.run(run.id)
    assert ended.state is RunState.SUCCEEDED
    assert ended.reason.startswith("version 1 of `loans` waits for approval: ")
    assert not place.registry.promotions("loans")
    approval = place.registry.acting_as("wanjiru").approve("loans", 1)
    assert approval.promotion is not None, approval.remark
    assert place.registry.promotions("loans") == (approval.promotion,)


def test_a_version_of_an_outdated_definition_is_not_promoted(place: Yard) -> None:
    run = place.queue()
    place.loop().step()
    place.registry.apply_model(yard.definition(seed=9).content(), project="tests", expected_revision=1)
    place.play()
    ended = place.registry.run(run.id)
    assert ended.state is RunState.SUCCEEDED
    assert "is not promoted: the model's definition has changed" in ended.reason


def test_a_promotion_that_is_refused_is_told(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    loop.step()
    place.launcher.end(place.launcher.running[0])
    loop.step()
    place.launcher.end(place.launcher.running[0])
    place.registry.promote("loans", 1, live_from=yard.TODAY + timedelta(days=5000))
    loop.step()
    assert "version 1 is not promoted" in place.registry.run(run.id).reason


def test_a_training_set_that_went_is_built_again(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    loop.step()
    place.launcher.end(place.launcher.running[0])
    loop.step()
    place.launcher.jobs.clear()
    place.loop(lambda part: part if part is not place.datasets else FilesystemDatasets(place.home / "empty")).step()
    assert place.registry.run(run.id).reason == "try 1 of 3 failed: its training set is gone"
    place.play()
    assert place.state(run) is RunState.SUCCEEDED


def test_a_job_that_the_launcher_lost_is_submitted_again(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    for _ in range(2):
        loop.step()
        (name,) = place.launcher.running
        place.launcher.jobs.clear()
        loop.step()
        assert list(place.launcher.running) == [name]
        place.launcher.end(name)
    loop.step()
    assert place.registry.run(run.id).tries == 1


def test_an_outcome_that_can_not_be_read_counts_as_none(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    loop.step()
    place.launcher.end(place.launcher.running[0])
    loop.step()
    (name,) = place.launcher.running
    place.launcher.jobs[name] = Job(name, JobState.SUCCEEDED, outcome=b'{"well": 1}')
    loop.step()
    assert place.registry.run(run.id).reason == "try 1 of 3 failed: the job ended, and did not do its work"


def test_jobs_of_others_are_left_alone(place: Yard) -> None:
    for name in ("trial-0123456789ab", "trial-0123456789ab-build"):
        place.launcher.jobs[name] = Job(name, JobState.FAILED)
    place.loop().step()
    assert len(place.launcher.jobs) == 2


def test_a_job_of_an_unknown_run_is_ended(place: Yard) -> None:
    name = f"other-{'0' * 12}-1-1"
    place.launcher.jobs[name] = Job(name, JobState.RUNNING)
    place.loop().step()
    assert place.launcher.cancelled == [name]
    assert place.launcher.jobs == {}


def test_run_until_done_tells_of_every_change(place: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [place.queue("ke"), place.queue("gh", seed=1)]

    def sleep(_: float) -> None:
        place.clock.pass_(seconds=1)
        for name in place.launcher.running:
            place.launcher.end(name)

    monkeypatch.setattr("modelyard.training.reconcile.time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    told: list[tuple[str, RunState]] = []
    done = place.loop().run_until_done([run.id for run in runs], lambda run: told.append((run.model, run.state)))
    assert {run.state for run in done.values()} == {RunState.SUCCEEDED}
    assert [state for model, state in told if model == "ke"] == [
        RunState.BUILDING,
        RunState.TRAINING,
        RunState.SUCCEEDED,
    ]
    assert place.loop().run_until_done([run.id for run in runs]) == done


def test_run_until_done_waits_for_a_registry_but_not_for_ever(place: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    run = place.queue()
    loop = place.loop()
    failures = 0

    def step() -> None:
        nonlocal failures
        failures += 1
        raise Unavailable("gone")  # noqa: EM101 - a test's own

    monkeypatch.setattr(loop, "step", step)
    times = iter([0.0, *[10.0] * 5, 61.0])
    played = SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(times))
    monkeypatch.setattr("modelyard.training.reconcile.time", played)
    with pytest.raises(Unavailable):
        loop.run_until_done([run.id])
    assert failures == 6


def test_a_step_meets_no_more_runs_than_it_has_to(place: Yard) -> None:
    for number in range(250):
        place.queue(f"m{number}", data={"from": f"2026-01-{1 + number % 28:02d}"})
    assert len(place.loop().step()) == 3
    assert len(place.launcher.running) == 2


def test_a_change_by_another_loop_is_respected(place: Yard) -> None:
    run = place.queue()
    loop = place.loop()
    stale = place.registry.open_runs()
    loop.step()

    class Stale:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.registry, name)

        def open_runs(self, **_: Any) -> Any:
            return stale

    late = Reconciler(Stale(), place.launcher, place.datasets, place.settings)
    late.step()
    assert len(place.launcher.started) == 1
    assert place.registry.run(run.id).sequence == 2
