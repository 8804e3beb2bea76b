"""Controllers over a real cluster: what is queued ends once, whoever is killed, cancelled, evicted or away."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from modelyard.registry.records import RunState
from tests.cluster.controllers import Controllers, controlling, kill, until_ended, watched
from tests.cluster.proxy import REFUSE, proxying
from tests.cluster.tools import until
from tests.cluster.world import World, worlds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def own_world() -> Iterator[World]:
    """A namespace of this test's own."""
    yield from worlds("modelyard-controller")


@pytest.fixture
def place(own_world: World, tmp_path: Path) -> Iterator[Controllers]:
    yield from controlling(own_world, tmp_path / "home")


def test_leaders_are_killed_and_every_run_ends_once(place: Controllers) -> None:
    runs = [place.queue(f"late_{number}") for number in range(12)]
    chance = random.Random(4)  # noqa: S311 - no secret
    with watched(place.world) as seen:
        processes = [place.start(), place.start()]
        for _ in range(3):
            until(place.lease, seconds=90)
            time.sleep(chance.uniform(1, 6))
            epoch = place.lease()["leaseTransitions"]
            # Whichever leads is among the two.
            for process in processes:
                kill(process)
            processes = [place.start(), place.start()]
            place.leads_after(epoch)
        done = until_ended(place, runs, 300)
    assert {run.state for run in done} == {RunState.SUCCEEDED}
    assert {run.tries for run in done} == {1}
    assert seen.most <= 4
    assert len(seen.jobs) == len({name for name, _ in seen.jobs}) == len(runs)
    assert b"line 19\n" in place.log(runs[0])


def test_an_api_server_that_is_away_loses_and_doubles_nothing(own_world: World, tmp_path: Path) -> None:
    with proxying() as proxy:
        for place in controlling(own_world, tmp_path / "home"):
            place.kubeconfig = proxy.kubeconfig(tmp_path)
            runs = [place.queue(f"late_{number}") for number in range(8)]
            with watched(place.world) as seen:
                place.start()
                place.start()
                until(lambda: len(seen.jobs) >= 2, seconds=90, what="the first Jobs")
                proxy.always(REFUSE)
                time.sleep(20)
                proxy.always(None)
                done = until_ended(place, runs, 300)
            assert {(run.state, run.tries) for run in done} == {(RunState.SUCCEEDED, 1)}
            assert seen.most <= 4
            assert len(seen.jobs) == len(runs)


def test_a_leader_that_was_stopped_past_its_lease_touches_nothing(place: Controllers, tmp_path: Path) -> None:
    world, stopped = place.world, threading.Event()
    with proxying() as proxy:
        direct, place.kubeconfig = place.kubeconfig, proxy.kubeconfig(tmp_path)
        late, slow = place.queue("late"), place.queue("slow")
        leader = place.start()
        for run in (late, slow):
            world.runs(f"{run.id}-1")

        def stop(method: str, path: str) -> None:
            """Stop it before it hears that both Jobs run: it hears of it once it leads no more."""
            if method == "GET" and "/jobs?" in path and not stopped.is_set():
                leader.send_signal(signal.SIGSTOP)
                stopped.set()

        proxy.answering = stop
        assert stopped.wait(30)
        place.kubeconfig = direct
        place.start()
        place.leads_after(0)
        place.registry.cancel_run(slow.id)
        until_ended(place, [late, slow, place.queue("well")], 90)
        before, uid = len(proxy.asked), world.uid("jobs", f"{late.id}-1")
        leader.send_signal(signal.SIGCONT)
        until(lambda: len(proxy.asked) >= before + 3, seconds=30, what="the looks of the one that was stopped")
        assert {method for method, _ in proxy.asked[before:]} == {"GET"}
        assert world.uid("jobs", f"{late.id}-1") == uid
        assert leader.poll() is None


def test_what_becomes_of_runs(place: Controllers) -> None:
    world = place.world
    controller = place.start()
    bad, evicted, slow = place.queue("badly"), place.queue("evicted"), place.queue("slow")
    for run in (evicted, slow):
        world.runs(f"{run.id}-1")
    (pod,) = world.pods(f"{evicted.id}-1")
    world.cluster.delete(
        f"/api/v1/namespaces/{world.namespace}/pods/{pod['metadata']['name']}", uid=pod["metadata"]["uid"]
    )
    until(lambda: b"line 5\n" in place.log(slow), seconds=40, what="the log of what runs")
    place.registry.cancel_run(slow.id)
    (cancelled,) = until_ended(place, [slow], 25)
    assert (cancelled.state, cancelled.reason) == (RunState.CANCELLED, "cancelled")
    until(lambda: not world.pods(f"{slow.id}-1"), seconds=20, what="the end of its pod")
    assert b"line 5\n" in place.log(slow), "its log outlives it"
    failed, again = until_ended(place, [bad, evicted], 60)
    assert (failed.state, failed.tries, failed.permanent) == (RunState.FAILED, 1, True)
    assert failed.reason == "the label has one value"
    assert (again.state, again.tries) == (RunState.SUCCEEDED, 2)
    anew = place.queue("slow")
    assert anew.attempt == 2
    world.runs(f"{anew.id}-1")
    kill(controller, signal.SIGTERM)
    assert controller.returncode == 0
    assert place.lease()["holderIdentity"] == "", "the Lease is handed over at once"
    place.registry.cancel_run(anew.id)
    place.start()
    until_ended(place, [anew], 30)
    assert place.lease()["leaseTransitions"] == 1


def test_a_full_team_does_not_block_another(own_world: World, tmp_path: Path) -> None:
    for place in controlling(own_world, tmp_path / "home", jobs=3, jobs_per_team=2):
        large = [place.queue(f"slow_{number}") for number in range(4)]
        small = place.queue("well", owner="fraud")
        place.start()
        (done,) = until_ended(place, [small], 60)
        assert done.state is RunState.SUCCEEDED
        states = [place.registry.run(run.id) for run in large]
        assert [run.state for run in states] == [RunState.TRAINING] * 2 + [RunState.QUEUED] * 2
        assert states[2].reason == "waits for its team's jobs to be free: 2 of 2 are taken"


def test_a_job_whose_run_is_over_is_deleted(place: Controllers) -> None:
    run = place.queue("slow")
    first = place.start()
    place.world.runs(f"{run.id}-1")
    kill(first)
    current = place.registry.run(run.id)
    place.registry.update_run(current.model_copy(update={"state": RunState.FAILED, "reason": "somebody else's say"}))
    place.start()
    until(lambda: not place.world.objects("jobs"), seconds=60, what="the end of the orphan")
