"""What is made of what Kubernetes tells: in words, and for good or not."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.training.launchers.kubernetes.status import Waits, look
from modelyard.training.launchers.launcher import JobKind, JobState
from tests.training.kubernetes_objects import ended_pod, job, pod, waiting_pod

GONE_OOM = "used more than the 512Mi that resources.memory allows"
UNSCHEDULABLE = (
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)


def test_a_job_that_did_its_work() -> None:
    seen = look(job(("Complete", "CompletionsReached")), [ended_pod(0, "Completed", '{"ok": true}')])
    assert (seen.job.state, seen.job.outcome) == (JobState.SUCCEEDED, b'{"ok": true}')
    assert (seen.job.run, seen.job.team) == ("ke-loan-default-4f1c92ab77d0-1", "credit-ke")


def unsaid(code: str) -> str:
    return f"the process ended without saying why (exit code {code})"


@pytest.mark.parametrize(
    ("failed", "pods", "reason", "permanent"),
    [
        ("BackoffLimitExceeded", [ended_pod(137, "OOMKilled")], GONE_OOM, True),
        ("BackoffLimitExceeded", [], "its pod was deleted", False),
        ("BackoffLimitExceeded", [ended_pod(137)], "its process was killed before its work was done", False),
        ("BackoffLimitExceeded", [ended_pod(143)], "its pod was told to end before its work was done", False),
        (
            "BackoffLimitExceeded",
            [ended_pod(143, reason="Error", name="a") | {"status": {"phase": "Failed", "reason": "DeadlineExceeded"}}],
            "took longer than the 2h that resources.timeout allows",
            True,
        ),
        (
            "DeadlineExceeded",
            [],
            "took longer than the 2h that resources.timeout allows, with the time that it waited for a node",
            True,
        ),
        (
            "BackoffLimitExceeded",
            [pod("Failed", reason="Evicted", message='Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ')],
            'its pod was evicted: Usage of EmptyDir volume "tmp" exceeds the limit "1Gi".',
            True,
        ),
        (
            "BackoffLimitExceeded",
            [pod("Failed", reason="Evicted", message="The node was low on resource: memory.")],
            "its pod was evicted: The node was low on resource: memory.",
            False,
        ),
        (
            "BackoffLimitExceeded",
            [ended_pod(128, "StartError", 'exec: "python": executable file not found in $PATH')],
            'its container can\'t start: exec: "python": executable file not found in $PATH',
            True,
        ),
        ("PodFailurePolicy", [ended_pod(65)], unsaid("65: failed for good"), True),
        ("BackoffLimitExceeded", [ended_pod(1)], unsaid("1: no outcome"), False),
        ("BackoffLimitExceeded", [ended_pod(75)], unsaid("75: may work later"), False),
    ],
)  # fmt: skip
def test_failures_are_told_in_words(failed: str, pods: list[dict[str, Any]], reason: str, permanent: bool) -> None:
    seen = look(job(("Failed", failed)), pods)
    assert (seen.job.state, seen.job.reason, seen.job.permanent) == (JobState.FAILED, reason, permanent)


def test_a_build_that_had_too_little_names_the_operators_setting() -> None:
    def told(condition: str, *pods: dict[str, Any]) -> tuple[str, bool]:
        found = look(job(("Failed", condition), kind=JobKind.BUILD), pods).job
        return found.reason, found.permanent

    assert told("BackoffLimitExceeded", ended_pod(137, "OOMKilled")) == (
        "used more than the 2Gi that build.resources.memory of the operator's profile allows",
        True,
    )
    late, permanent = told("DeadlineExceeded")
    assert permanent
    assert late.startswith("took longer than the 2h that build.resources.timeout of the operator's profile allows")


def test_the_newest_pod_counts() -> None:
    first, second = ended_pod(143, name="a"), ended_pod(65, message='{"ok": false}', name="b")
    assert look(job(("Failed", "PodFailurePolicy")), [second, first]).job.outcome == b'{"ok": false}'
    assert look(job(("Failed", "x")), [ended_pod(1, message="no JSON")]).job.outcome is None


@pytest.mark.parametrize("condition", ["SuccessCriteriaMet", "FailureTarget"])
def test_a_job_whose_pods_still_end_has_not_ended(condition: str) -> None:
    assert look(job((condition, "x")), [pod("Running")]).job.state is JobState.RUNNING


def test_what_a_job_waits_for_is_told_in_words() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": UNSCHEDULABLE}
    seen = look(job(), [pod(conditions=[unscheduled])])
    assert seen.waits is Waits.NODE
    assert seen.job.reason == "waits for a node: 0/1 nodes are available: 1 Insufficient cpu"
    gated = look(job(), [pod(conditions=[{**unscheduled, "reason": "SchedulingGated"}])])
    assert (gated.waits, gated.job.reason) == (Waits.QUEUE, "waits for a scheduling gate to be lifted")
    pulling = look(
        job(),
        [waiting_pod("ImagePullBackOff", 'Back-off pulling image "localhost/trainer:1": ErrImagePull: no such host')],
    )
    assert pulling.waits is Waits.IMAGE
    assert pulling.job.reason == "its image `localhost/trainer:1` can't be pulled: no such host"
    never = look(job(), [waiting_pod("ErrImageNeverPull", "x")])
    assert never.waits is Waits.HOPELESS
    assert never.job.reason.endswith("it is not on the node, and the policy is never to pull it")
    made = look(job(), [waiting_pod("CreateContainerConfigError", 'secret "aws" not found')])
    assert (made.waits, made.job.reason) == (Waits.CONTAINER, 'its container can\'t be made: secret "aws" not found')
    assert look(job(suspend=True), []).job.reason == "is suspended"
    queued = job(suspend=True)
    queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gold"
    assert look(queued, []).job.reason == "waits for the queue `gold` to let it in"
    assert look(job(), []).waits is Waits.POD
    running = look(job(), [pod("Running")])
    assert (running.waits, running.job.reason, running.needs_token) == (None, "", False)
    creating = look(job(), [waiting_pod("ContainerCreating")])
    assert (creating.waits, creating.job.reason, creating.needs_token) == (None, "", True)


def test_long_words_of_others_are_shortened() -> None:
    long = look(job(), [waiting_pod("CreateContainerError", "x\n" * 1000)])
    assert len(long.job.reason) < 400
    assert "\n" not in long.job.reason
