"""From what Kubernetes tells of a Job and its pods to what the loop wants to know: pure, and in plain words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData, Unavailable
from modelyard.training.launchers.kubernetes.manifests import CONTAINER, KIND, MEMORY, QUEUE, RUN, TEAM, TIMEOUT
from modelyard.training.launchers.launcher import Job, JobKind, JobState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Object = dict[str, Any]
"""An object of the API, as its JSON says."""

LONGEST = 300
"""Characters of somebody else's message that are passed on."""

_UNREACHABLE_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError")
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName")
_NO_CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_SIGTERM, _SIGKILL = 128 + 15, 128 + 9
_NEVER_RAN = 128  # what the runtime answers where the command can't be started


class Waits(StrEnum):
    """What a job waits for; how long it may is for the profile to say."""

    QUEUE = "queue"
    POD = "pod"
    NODE = "node"
    IMAGE = "image"
    CONTAINER = "container"
    HOPELESS = "hopeless"
    """Nothing that waiting could bring."""


@dataclass(frozen=True)
class Seen:
    """A job, and what it waits for."""

    job: Job
    waits: Waits | None = None
    needs_token: bool = False
    """Whether a pod of it may still be waiting for its Secret."""
    subject: str = ""
    """The UID of what waits: another pod begins to wait anew."""


def ended(job: Object) -> str:
    """`Complete` or `Failed`, once a Job is; empty before.

    `SuccessCriteriaMet` and `FailureTarget` come while pods still end, and say nothing yet.
    """
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return str(condition["type"])
    return ""


def look(job: Object, pods: Sequence[Object]) -> Seen:
    """What is known of a Job by now.

    Args:
        job: The Job.
        pods: Its pods.
    """
    metadata = job["metadata"]
    labels, name = metadata["labels"], metadata["name"]
    known = {"team": labels.get(TEAM, ""), "run": labels.get(RUN, "")}
    how = ended(job)
    if how:
        outcome = _outcome(pods)
        if how == "Complete":
            return Seen(Job(name, JobState.SUCCEEDED, outcome=outcome, **known))
        reason, permanent = _failure(job, pods)
        return Seen(Job(name, JobState.FAILED, reason=reason, permanent=permanent, outcome=outcome, **known))
    alive = [pod for pod in pods if pod["status"].get("phase") in ("Pending", "Running", None)]
    waits, reason = _waiting(job, alive)
    running = any(pod["status"].get("phase") == "Running" for pod in alive)
    seen = Job(name, JobState.RUNNING, reason=reason, **known)
    return Seen(seen, waits, not running, alive[0]["metadata"]["uid"] if alive else metadata["uid"])


def ending(name: str, pod: Object) -> Job:
    """A job whose Job is gone while a pod of it still ends."""
    labels = pod["metadata"]["labels"]
    return Job(
        name,
        JobState.RUNNING,
        reason="its pod is ending",
        team=labels.get(TEAM, ""),
        run=labels.get(RUN, ""),
        ends=True,
    )


def _waiting(job: Object, pods: Sequence[Object]) -> tuple[Waits | None, str]:
    if job["spec"].get("suspend"):
        queue = job["metadata"]["labels"].get(QUEUE)
        return Waits.QUEUE, f"waits for the queue `{queue}` to let it in" if queue else "is suspended"
    if not pods:
        return Waits.POD, ""
    return _pod_waiting(pods[0])


def _pod_waiting(pod: Object) -> tuple[Waits | None, str]:
    status = pod["status"]
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        if scheduled.get("reason") == "SchedulingGated":
            return Waits.QUEUE, "waits for a scheduling gate to be lifted"
        return Waits.NODE, f"waits for a node: {_scheduler_words(scheduled.get('message', ''))}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        why, message = waiting.get("reason", ""), _shortened(waiting.get("message", ""))
        if why in _UNREACHABLE_IMAGE:
            reason = f"its image `{container['image']}` can't be pulled: {_pull_words(why, message)}"
            return Waits.HOPELESS if why in _HOPELESS else Waits.IMAGE, reason
        if why in _NO_CONTAINER:
            return Waits.CONTAINER, f"its container can't be made: {message or why}"
    return None, ""


def _scheduler_words(message: str) -> str:
    """What the scheduler says, without what it says of preemption: `0/3 nodes are available: 3 Insufficient cpu`."""
    first = re.split(r"\.?\s+(?:no new claims|preemption:)", message, maxsplit=1)[0]
    return _shortened(first.rstrip(".")) or "the scheduler has not said why"


def _pull_words(why: str, message: str) -> str:
    if why == "ErrImageNeverPull":
        return "it is not on the node, and the policy is never to pull it"
    # Back-off messages repeat the last error behind a prefix whose pauses differ.
    told = re.sub(r'^Back-off pulling image "[^"]*"(: [A-Za-z]+: )?', "", message)
    return told or why


def _failure(job: Object, pods: Sequence[Object]) -> tuple[str, bool]:
    """Why a Job failed, and whether that is for good."""
    condition = next(one for one in job["status"]["conditions"] if one["type"] == "Failed" and one["status"] == "True")
    too_long = f"took longer than the {_allowed(job, TIMEOUT)}"
    if condition.get("reason") == "DeadlineExceeded":
        return f"{too_long}, with the time that it waited for a node", True
    pod = _newest(pods)
    if pod is None:
        return "its pod was deleted", False
    told = pod["status"]
    if told.get("reason") == "DeadlineExceeded":
        return too_long, True
    if told.get("reason") == "Evicted":
        message = _shortened(told.get("message", ""))
        return f"its pod was evicted: {message}", "emptyDir" in message or "EmptyDir" in message
    terminated = _terminated(pod)
    if terminated is None:
        return "its pod was deleted" if pod["metadata"].get("deletionTimestamp") else _shortened(
            told.get("message") or condition.get("message", "")
        ), False
    return _exit(terminated, job)


def _exit(terminated: Mapping[str, Any], job: Object) -> tuple[str, bool]:
    code, why = terminated.get("exitCode"), terminated.get("reason", "")
    if why == "OOMKilled":
        return f"used more than the {_allowed(job, MEMORY)}", True
    if why in ("StartError", "ContainerCannotRun") or code == _NEVER_RAN:
        return f"its container can't start: {_shortened(terminated.get('message', '')) or why}", True
    if code == _SIGTERM:
        return "its pod was told to end before its work was done", False
    if code == _SIGKILL:
        return "its process was killed before its work was done", False
    permanent = code == InvalidData.exit_code
    said = "failed for good" if permanent else "may work later" if code == Unavailable.exit_code else "no outcome"
    return f"the process ended without saying why (exit code {code}: {said})", permanent


def _outcome(pods: Sequence[Object]) -> bytes | None:
    """The JSON that the newest pod's process left behind as its last act."""
    pod = _newest(pods)
    terminated = None if pod is None else _terminated(pod)
    message = "" if terminated is None else terminated.get("message", "")
    return message.encode() if message.startswith("{") else None


def _newest(pods: Sequence[Object]) -> Object | None:
    return max(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]), default=None)


def _terminated(pod: Object) -> Mapping[str, Any] | None:
    for container in pod["status"].get("containerStatuses") or ():
        if container["name"] == CONTAINER:
            found: Mapping[str, Any] | None = (container.get("state") or {}).get("terminated")
            return found
    return None


def _allowed(job: Object, annotation: str) -> str:
    """What a Job was allowed, and by which setting: that is what to raise."""
    metadata, name = job["metadata"], annotation.rpartition("/")[2]
    setting = f"resources.{name}"
    if metadata["labels"].get(KIND) == JobKind.BUILD:
        setting = f"build.{setting} of the operator's profile"
    return f"{metadata.get('annotations', {}).get(annotation, name)} that {setting} allows"


def _shortened(message: str) -> str:
    one_line = " ".join(message.split())
    return one_line if len(one_line) <= LONGEST else f"{one_line[: LONGEST - 1]}…"
