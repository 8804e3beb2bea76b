"""The loop where jobs are pods: what they tell is heard, and believed as far as it can be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from modelyard.errors import Conflict, InvalidData
from modelyard.registry.records import Outcome, RunProgress, RunState
from modelyard.training.board import Limits
from modelyard.training.controller.controller import Controller, Parts
from modelyard.training.controller.monitor import Monitor
from modelyard.training.launchers.launcher import Job, JobKind, JobState, NoRoom
from modelyard.training.moves import Moves
from modelyard.training.reconcile import Reconciler
from tests.training.played import Yard

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.records import Run
    from modelyard.training.launchers.kubernetes.lease import Lease
    from modelyard.training.launchers.launcher import JobSpec


class Pods(Yard):
    """A yard whose jobs are handed no task."""

    def pods(self, epoch: int = 1, **limits: float) -> Reconciler:
        moves = Moves(self.registry, clock=self.clock, chance=lambda: 0.5, epoch=epoch)
        bounds = Limits(limits.get("total", 4), per_team=limits.get("per_team"), in_pods=True)
        return Reconciler(self.registry, self.launcher, self.datasets, self.settings, moves=moves, limits=bounds)

    def trained(self) -> tuple[Run, str]:
        """A run that trains, and its job."""
        run = self.queue()
        self.play("badly")
        again = self.queue()
        self.loop().step()
        self.launcher.end(self.launcher.running[0])
        self.pods().step()
        assert run.id != again.id
        (name,) = self.launcher.running
        return self.registry.run(again.id), name

    def tell(self, run: Run, outcome: Outcome) -> None:
        self.registry.report_progress(RunProgress(run=run.id, tries=run.tries, outcome=outcome))

    def end_silently(self, name: str) -> None:
        self.launcher.jobs[name] = Job(name, JobState.FAILED, reason="the process was killed")


@pytest.fixture
def place(tmp_path: Path) -> Pods:
    return Pods(tmp_path)


def test_pods_are_handed_no_task_and_named_for_what_they_are(place: Pods) -> None:
    run, name = place.trained()
    spec = place.launcher.specs[name]
    assert (spec.task, spec.kind, spec.run, spec.tries, spec.team) == (b"", JobKind.TRAIN, run.id, 1, run.team)
    assert spec.digest == run.request
    assert run.epoch == 1


def test_what_a_pod_told_counts_before_what_the_cluster_saw(place: Pods) -> None:
    run, name = place.trained()
    place.tell(run, Outcome(ok=False, reason="the label has one value", permanent=True))
    place.end_silently(name)
    place.pods().step()
    ended = place.registry.run(run.id)
    assert (ended.state, ended.reason, ended.permanent) == (RunState.FAILED, "the label has one value", True)


def test_a_pod_that_told_nothing_is_tried_again(place: Pods) -> None:
    run, name = place.trained()
    place.registry.report_progress(RunProgress(run=run.id, tries=run.tries, part=0.5, doing="fitting"))
    place.end_silently(name)
    place.pods().step()
    assert place.registry.run(run.id).reason == "try 1 of 3 failed: the process was killed"


def test_a_version_that_the_run_has_not_made_is_not_promoted(place: Pods) -> None:
    place.queue()
    place.play()
    assert [fact.version for fact in place.registry.promotions("loans")] == [1]
    other = place.queue(seed=5)
    place.pods().step()
    (name,) = place.launcher.running
    for version in (1, 99):
        running = place.registry.run(other.id)
        if running.state.terminal:
            break
        place.tell(running, Outcome(ok=True, version=version))
        place.end_silently(name)
        place.pods().step()
    ended = place.registry.run(other.id)
    assert (ended.state, ended.version) == (RunState.FAILED, None)
    assert ended.reason == "its job names version 1, which this run has not made"
    assert len(place.registry.promotions("loans")) == 1


def test_what_a_pod_waits_for_is_told_once_and_forgotten(place: Pods) -> None:
    run, name = place.trained()
    for reason in ("waits for a node: 0/1 nodes are available", "waits for a node: 0/1 nodes are available", ""):
        place.launcher.jobs[name] = Job(name, JobState.RUNNING, reason=reason)
        place.pods().step()
        assert place.registry.run(run.id).reason == reason
    assert place.registry.run(run.id).sequence == run.sequence + 2


def test_a_job_without_room_is_asked_for_again_and_one_that_is_refused_fails(place: Pods) -> None:
    run, name = place.trained()
    submit = place.launcher.submit
    place.launcher.jobs.clear()

    def no_room(_: JobSpec) -> None:
        raise NoRoom("a quota of the namespace: jobs")  # noqa: EM101 - a test's own

    place.launcher.submit = no_room  # type: ignore[method-assign, assignment]
    place.pods().step()
    assert place.registry.run(run.id).reason == "waits for a quota of the namespace: jobs"
    place.launcher.submit = submit  # type: ignore[method-assign]
    place.pods().step()
    assert list(place.launcher.running) == [name]
    place.launcher.jobs.clear()

    def refused(_: JobSpec) -> None:
        raise InvalidData("there is another Job of the name")  # noqa: EM101 - a test's own

    place.launcher.submit = refused  # type: ignore[method-assign, assignment]
    place.pods().step()
    ended = place.registry.run(run.id)
    assert (ended.state, ended.reason) == (RunState.FAILED, "there is another Job of the name")


def test_a_cancelled_pod_counts_until_it_is_gone(place: Pods) -> None:
    run, name = place.trained()
    place.registry.cancel_run(run.id)
    place.pods().step()
    assert place.launcher.cancelled == [name]
    place.launcher.jobs[name] = Job(name, JobState.RUNNING, reason="its pod is ending", ends=True)
    place.pods().step()
    assert place.launcher.cancelled == [name], "it was told already"
    assert place.registry.run(run.id).state is RunState.TRAINING
    place.launcher.jobs.clear()
    place.pods().step()
    assert place.registry.run(run.id).state is RunState.CANCELLED


def test_a_controller_that_is_over_changes_nothing(place: Pods) -> None:
    run, _ = place.trained()
    place.pods(epoch=5).step()
    changed = place.registry.update_run(place.registry.run(run.id).model_copy(update={"epoch": 5}))
    with pytest.raises(Conflict, match="epoch 5"):
        Moves(place.registry, epoch=4).say(changed, "late")
    place.end_silently(place.launcher.running[0])
    place.pods(epoch=4).step()
    assert place.registry.run(run.id) == changed


def test_a_pod_that_builds_counts_until_it_is_gone(place: Pods) -> None:
    run = place.queue()
    place.loop().step()
    (build,) = place.launcher.running
    running = place.launcher.jobs[build]
    place.launcher.end(build)
    place.launcher.jobs[build] = running
    place.pods(total=1).step()
    assert place.registry.run(run.id).reason == "waits for free jobs: 1 of 1 are taken"
    place.pods(total=1).step()
    assert place.state(run) is RunState.TRAINING


def test_teams_take_turns(place: Pods) -> None:
    place.queue("first", owner="large")
    place.play()
    runs = [place.queue(f"large_{number}", owner="large", seed=1) for number in range(3)]
    other = place.queue("small", owner="small", seed=1)
    place.pods(total=3, per_team=2).step()
    assert [place.state(run) for run in (*runs, other)] == [
        RunState.TRAINING,
        RunState.TRAINING,
        RunState.QUEUED,
        RunState.TRAINING,
    ]
    assert place.registry.run(runs[2].id).reason == "waits for its team's jobs to be free: 2 of 2 are taken"


class Leading:
    """A Lease that is held."""

    held, epoch = True, 1

    def __init__(self) -> None:
        self.raised: list[int] = []

    def check(self) -> None:
        pass

    def raise_to(self, epoch: int) -> bool:
        self.raised.append(epoch)
        return True


def test_a_log_that_can_not_be_read_keeps_no_other(place: Pods) -> None:
    run, job = place.trained()
    parts = Parts(place.registry, place.launcher, place.datasets, place.settings, Limits(4, in_pods=True))
    controller = Controller(parts, cast("Lease", Leading()), Monitor())
    controller._step()
    loop = controller._loop_of(1)
    loop.running = {"gone-000000000000-1-1": "gone-000000000000-1", job: run.id}
    controller._keep_logs()
    assert b"".join(place.registry.read_run_log(run.id)) == f"log of {job}".encode()


def test_an_epoch_that_no_lease_can_count_to_leads_nobody_there(place: Pods) -> None:
    run, _ = place.trained()
    ruined = run.model_copy(update={"epoch": 2**31 - 1, "sequence": run.sequence + 1})
    place.registry._metadata.replace_run(ruined, happenings=[])
    lease = Leading()
    parts = Parts(place.registry, place.launcher, place.datasets, place.settings, Limits(4, in_pods=True))
    controller = Controller(parts, cast("Lease", lease), Monitor())
    controller._step()
    assert lease.raised == []
    place.queue("second")
    place.pods(epoch=7).step()
    controller._step()
    assert lease.raised == [7]


def test_remarks_are_as_many_as_a_record_holds(place: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [f"warning: {number}: {'x' * 2000}" for number in range(60)]
    monkeypatch.setattr("modelyard.training.reconcile.remarks_on", lambda _built: tuple(found))
    run, _ = place.trained()
    assert [remark[:13] for remark in run.remarks[-2:]] == ["warning: 48: ", "and 11 more"]
    assert (len(run.remarks), max(map(len, run.remarks))) == (50, 1000)


def test_a_build_that_another_run_asked_for_ends_that_run_alone(place: Pods) -> None:
    first, other = place.queue("ke"), place.queue("gh")
    loop = place.pods()
    loop.step()
    (build,) = place.launcher.running
    asked = place.launcher.specs[build].run
    reason = "it used more than the 1Ki of memory that it asked for"
    place.launcher.jobs[build] = Job(build, JobState.FAILED, reason=reason, permanent=True, run=asked)
    loop.step()
    ended, goes_on = (place.registry.run(run.id) for run in sorted((first, other), key=lambda run: run.id != asked))
    assert (ended.state, ended.permanent, ended.reason) == (RunState.FAILED, True, reason)
    assert (goes_on.state, goes_on.tries) == (RunState.QUEUED, 1)
