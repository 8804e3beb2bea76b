"""The launcher over a real API server: what becomes of jobs, in words, and of what dies on the way."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from modelyard.config.kinds.model import Resources
from modelyard.errors import InvalidData
from modelyard.training.job import read_outcome
from modelyard.training.launchers.kubernetes.api import AlreadyThere, in_namespace
from modelyard.training.launchers.kubernetes.launcher import KubernetesLauncher
from modelyard.training.launchers.kubernetes.lease import NotLeading
from modelyard.training.launchers.kubernetes.manifests import HOME, RECORDED, RUN, job_manifest, secret_name
from modelyard.training.launchers.launcher import JobKind, JobState, NoRoom
from tests.cluster.tools import until
from tests.cluster.world import World, ended, listed, spec

pytestmark = pytest.mark.cluster


def test_a_job_is_done_once_and_goes_when_it_is_recorded(world: World) -> None:
    launcher, job = world.launcher(keep="1s"), spec("well")
    launcher.submit(job)
    launcher.submit(job)
    done = ended(launcher, job.name)
    outcome = read_outcome(done.outcome)
    assert (done.state, outcome is not None and outcome.ok) == (JobState.SUCCEEDED, True)
    assert (done.run, done.team) == (job.run, "credit-ke")
    assert len(world.pods(job.name)) == 1
    launcher.remove(job.name)
    assert listed(world.launcher(), job.name) is None, "what is recorded is not listed again"
    until(lambda: world.object("jobs", job.name) is None, what="the Job's end")
    name = secret_name(job.name, job.run)
    until(lambda: not [secret for secret in world.objects("secrets") if secret["metadata"]["name"] == name])


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_job_in_a_restricted_namespace_has_its_token_and_no_rights(world: World, kind: JobKind) -> None:
    launcher, job = world.launcher(), spec("probing", tries=18 + (kind is JobKind.BUILD), kind=kind)
    launcher.submit(job)
    outcome = read_outcome(ended(launcher, job.name).outcome)
    assert outcome is not None
    found = json.loads(outcome.reason)
    assert found["token"] == f"token of {job.run}/{job.tries}"
    assert found["readable"] == ["/var/run/secrets/modelyard/token"], "no token of a service account"
    assert {found["secrets"], found["pods"], found["jobs"]} <= {401, 403}
    assert found["credentials"] == []
    assert found["writable"] == ["/tmp", HOME]
    assert (found["uid"], int(found["capabilities"], 16)) == (10001, 0)


def test_failures_are_told_in_words_and_for_good(world: World) -> None:
    launcher = world.launcher()
    jobs = {
        "greedy": ("used more than the 64Mi that resources.memory allows", True),
        "unsaid": ("the process ended without saying why (exit code 1: no outcome)", False),
    }
    build = spec("greedy", tries=19, kind=JobKind.BUILD, resources=Resources(memory="1Gi"))
    late = spec("slow", tries=7, resources=Resources.model_validate({"cpu": 0.1, "memory": "64Mi", "timeout": "3s"}))
    for job in (*map(spec, jobs), spec("badly"), late, build):
        launcher.submit(job)
    for name, told in jobs.items():
        job_ended = ended(launcher, spec(name).name, 90)
        assert (job_ended.reason, job_ended.permanent) == told
    assert ended(launcher, build.name, 90).reason == (
        "used more than the 64Mi that build.resources.memory of the operator's profile allows"
    )
    bad = ended(launcher, spec("badly").name)
    outcome = read_outcome(bad.outcome)
    assert outcome is not None
    assert (outcome.reason, outcome.permanent) == ("the label has one value", True)
    assert len(world.pods(spec("badly").name)) == 1
    too_long = ended(launcher, late.name)
    assert too_long.permanent
    assert too_long.reason == "took longer than the 3s that resources.timeout allows"


def test_an_evicted_pod_is_replaced_and_a_deleted_one_is_a_failure_that_may_pass(world: World) -> None:
    launcher = world.launcher()
    evicted, deleted = spec("slow", tries=1), spec("slow", tries=2)
    for job in (evicted, deleted):
        launcher.submit(job)
        world.runs(job.name)
    (first,) = world.pods(evicted.name)
    world.evict(first)
    (gone,) = world.pods(deleted.name)
    world.cluster.delete(in_namespace("pods", world.namespace, gone["metadata"]["name"]), uid=gone["metadata"]["uid"])
    failed = ended(launcher, deleted.name)
    assert failed.reason in ("its pod was deleted", "its pod was told to end before its work was done")
    assert not failed.permanent
    until(
        lambda: [pod for pod in world.pods(evicted.name) if pod["metadata"]["uid"] != first["metadata"]["uid"]],
        what="another pod in the place of the evicted one",
    )
    still = listed(launcher, evicted.name)
    assert still is not None
    assert still.state is JobState.RUNNING
    launcher.cancel(evicted.name)


def test_an_image_that_is_not_there_fails_the_run_in_less_than_two_minutes(world: World) -> None:
    begun = time.monotonic()
    pods = {"image": "localhost/nowhere:1", "service_account": "modelyard-train"}
    launcher = world.launcher(training=pods, image_pull="5s")
    job = spec("well", tries=9)
    launcher.submit(job)
    waiting = until(lambda: (found := listed(launcher, job.name)) and found.reason and found)
    assert "its image `localhost/nowhere:1` can't be pulled: " in waiting.reason
    failed = ended(launcher, job.name, 110)
    assert failed.permanent
    assert "can't be pulled" in failed.reason
    assert time.monotonic() - begun < 120
    launcher.remove(job.name)
    until(lambda: listed(launcher, job.name) is None)
    assert world.object("jobs", job.name) is None, "what has not ended by itself is deleted"


def test_a_pod_without_a_node_says_so_and_fails_in_the_end(world: World) -> None:
    launcher = world.launcher(unschedulable="4s")
    job = spec("well", tries=11, resources=Resources(cpu=200, memory="64Mi"))
    launcher.submit(job)
    waiting = until(lambda: (found := listed(launcher, job.name)) and found.reason and found)
    assert waiting.reason.startswith("waits for a node: 0/")
    assert "Insufficient cpu" in waiting.reason
    failed = ended(launcher, job.name)
    assert failed.reason.startswith("no node took it within 4s: 0/")
    launcher.remove(job.name)


def test_a_suspended_job_says_so(world: World) -> None:
    launcher, job = world.launcher(), spec("well", tries=12)
    manifest = job_manifest(job, world.profile(queue="gold"))
    manifest["spec"]["suspend"] = True
    world.cluster.create(in_namespace("jobs", world.namespace), manifest)
    found = listed(launcher, job.name)
    assert found is not None
    assert (found.state, found.reason) == (JobState.RUNNING, "waits for the queue `gold` to let it in")
    launcher.cancel(job.name)


def test_a_pod_that_the_namespace_refuses_says_why(world: World) -> None:
    launcher, job = world.launcher(image_pull="8s"), spec("well", tries=13)
    manifest = job_manifest(job, world.profile())
    manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    world.cluster.create(in_namespace("jobs", world.namespace), manifest)
    failed = ended(launcher, job.name)
    assert failed.permanent
    assert failed.reason.startswith("its pod can't be made: ")
    assert "violates PodSecurity" in failed.reason
    launcher.remove(job.name)


def test_a_quota_that_is_used_up_is_waited_for(world: World) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "jobs"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    path = in_namespace("resourcequotas", world.namespace)
    made = world.cluster.create(path, quota)
    try:
        until(lambda: (world.object("resourcequotas", "jobs") or {}).get("status", {}).get("hard"))
        with pytest.raises(NoRoom, match="quota"):
            world.launcher().submit(spec("well", tries=14))
    finally:
        world.cluster.delete(f"{path}/jobs", uid=made["metadata"]["uid"])


def test_who_may_not_touches_no_job_and_nobody_touches_another_of_the_name(world: World) -> None:
    job = spec("well", tries=18)
    launcher, allowed = world.launcher(), [True]

    def guard() -> None:
        if not allowed:
            raise NotLeading("this controller does not lead any more")  # noqa: EM101 - a test's own

    late = KubernetesLauncher(world.cluster, world.profile(), lambda run, tries: f"{run} {tries}", guard=guard)
    late.submit(job)
    allowed.clear()
    for touch in (late.cancel, late.remove):
        with pytest.raises(NotLeading):
            touch(job.name)
    allowed.append(True)
    ended(late, job.name)
    allowed.clear()
    with pytest.raises(NotLeading):
        late.remove(job.name)
    allowed.append(True)
    ended(launcher, job.name)
    launcher.remove(job.name)
    with pytest.raises(NoRoom):  # and so the recorded one goes
        launcher.submit(job)
    until(lambda: world.object("jobs", job.name) is None)
    launcher.submit(job)
    late.remove(job.name)
    assert RECORDED not in (world.object("jobs", job.name) or {})["metadata"]["labels"]
    launcher.cancel(job.name)


def test_what_hinders_one_job_is_told_of_it_and_the_others_are_listed(world: World) -> None:
    hindered, damaged, fine = spec("well", tries=15), spec("well", tries=16), spec("slow", tries=17)
    manifest = job_manifest(damaged, world.profile())
    del manifest["metadata"]["labels"][RUN]
    world.cluster.create(in_namespace("jobs", world.namespace), manifest)
    path = in_namespace("resourcequotas", world.namespace)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "secrets"},
        "spec": {"hard": {"secrets": "0"}},
    }
    launcher = world.launcher()
    launcher.submit(fine)
    world.runs(fine.name)
    made = world.cluster.create(path, quota)
    try:
        until(lambda: (world.object("resourcequotas", "secrets") or {}).get("status", {}).get("hard"))
        with suppress(NoRoom):
            launcher.submit(hindered)
        found = {job.name: job for job in launcher.list()}
        assert found[hindered.name].reason.startswith("waits for a quota of the namespace: ")
        assert found[hindered.name].state is JobState.RUNNING
        assert (found[damaged.name].state, found[damaged.name].permanent) == (JobState.FAILED, True)
        assert found[damaged.name].reason.startswith(f"the Job `{damaged.name}` does not say which run")
        assert found[fine.name].reason == ""
    finally:
        world.cluster.delete(f"{path}/secrets", uid=made["metadata"]["uid"])
    assert ended(launcher, hindered.name).state is JobState.SUCCEEDED
    for job in (damaged, fine):
        launcher.cancel(job.name)


def test_a_cancelled_job_is_gone_in_seconds(world: World) -> None:
    launcher, job = world.launcher(), spec("slow", tries=3)
    launcher.submit(job)
    world.runs(job.name)
    begun = time.monotonic()
    launcher.cancel(job.name)
    seen = listed(launcher, job.name)
    assert seen is None or seen.ends
    until(lambda: listed(launcher, job.name) is None, seconds=15)
    until(lambda: not world.pods(job.name), seconds=15, what="the end of its pod")
    assert time.monotonic() - begun < 20
    launcher.cancel(job.name)
    launcher.remove(job.name)


def test_a_job_that_is_there_is_adopted_and_another_ones_is_left_alone(world: World) -> None:
    launcher, job = world.launcher(), spec("slow", tries=4)
    launcher.submit(job)
    uid = world.uid("jobs", job.name)
    world.launcher().submit(job)
    assert world.uid("jobs", job.name) == uid
    with pytest.raises(InvalidData, match="another Job of the name"):
        launcher.submit(spec("slow", tries=4, digest="f" * 64))
    stranger = world.launcher(installation="other")
    with pytest.raises(InvalidData, match="another Job of the name"):
        stranger.submit(job)
    stranger.cancel(job.name)
    stranger.remove(job.name)
    assert world.uid("jobs", job.name) == uid
    assert [found.name for found in stranger.list()] == []
    launcher.cancel(job.name)


def test_a_job_whose_secret_was_never_made_gets_it(world: World) -> None:
    """Whoever made the Job died right after."""
    job = spec("well", tries=5)
    world.cluster.create(in_namespace("jobs", world.namespace), job_manifest(job, world.profile()))
    launcher = world.launcher()
    assert ended(launcher, job.name).state is JobState.SUCCEEDED


def test_a_recorded_job_in_the_way_of_a_new_one_goes(world: World) -> None:
    launcher, job = world.launcher(), spec("well", tries=6)
    launcher.submit(job)
    ended(launcher, job.name)
    launcher.remove(job.name)
    with pytest.raises(NoRoom):
        launcher.submit(job)
    launcher.submit(job)
    assert ended(launcher, job.name).state is JobState.SUCCEEDED


def test_logs_are_read_while_a_job_runs_and_only_their_end_is(world: World) -> None:
    launcher, job = world.launcher(log="1Ki"), spec("slow", tries=8)
    launcher.submit(job)
    until(lambda: b"line 3\n" in b"".join(launcher.logs(job.name)))
    log = until(lambda: (found := b"".join(launcher.logs(job.name))) and b"left out" in found and found, seconds=60)
    assert len(log) < 1200
    launcher.cancel(job.name)
    assert b"".join(launcher.logs("nothing-000000000000-1-1")) == b""


def test_lists_go_through_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.training.launchers.kubernetes.api.PAGE", 2)
    names = [f"page-{number}" for number in range(5)]
    bodies = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"page": "yes"}}}
        for name in names
    ]
    for body in bodies:
        world.cluster.create(in_namespace("configmaps", world.namespace), body)
    with pytest.raises(AlreadyThere):
        world.cluster.create(in_namespace("configmaps", world.namespace), bodies[0])
    assert [one["metadata"]["name"] for one in world.objects("configmaps", "page=yes")] == names
