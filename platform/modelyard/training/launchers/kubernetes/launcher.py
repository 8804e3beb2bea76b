"""The launcher: jobs as Kubernetes Jobs. The list is the truth; what it shows to be missing is made again.

What a process that dies leaves undone: a Job without its Secret gets it when it is listed next; a Job that nobody
recorded is listed until somebody has; one whose run has ended without it is deleted as nobody's.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.config.kinds.base import format_duration, parse_size
from modelyard.errors import InvalidData, Unavailable
from modelyard.training.launchers.kubernetes.api import AlreadyThere, in_namespace
from modelyard.training.launchers.kubernetes.manifests import (
    CONTAINER,
    DIGEST,
    INSTALLATION,
    JOB_NAME,
    MANAGED_BY,
    RECORDED,
    RUN,
    TRIES,
    job_manifest,
    recorded_patch,
    secret_manifest,
    selector,
    spec_digest,
)
from modelyard.training.launchers.kubernetes.status import Waits, ended, ending, look
from modelyard.training.launchers.launcher import Job, JobState, NoRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from modelyard.training.launchers.kubernetes.api import Cluster
    from modelyard.training.launchers.kubernetes.profile import Profile
    from modelyard.training.launchers.kubernetes.status import Object, Seen
    from modelyard.training.launchers.launcher import JobSpec

TOKEN_INTERVAL = 5.0
"""Seconds between two looks after the Secret of a pod that has not begun."""
EVENT_INTERVAL = 10.0
"""Seconds between two looks at why a Job has no pod; and after its beginning before the first."""
LINES = 5000  # of a log that are asked for
STUCK = 60.0
"""Seconds beyond its grace after which a pod that does not end is on a node that is lost, and counts no more."""


class KubernetesLauncher:
    """Starts jobs as Kubernetes Jobs.

    Args:
        cluster: The API server.
        profile: The operator's profile.
        token_of: From a run's id and its try to its token.
        guard: Called before anything is made, changed or deleted; raises where this process may not.
        clock: Seconds that only go up.
    """

    def __init__(
        self,
        cluster: Cluster,
        profile: Profile,
        token_of: Callable[[str, int], str],
        *,
        guard: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._profile = profile
        self._token_of = token_of
        self._guard = guard
        self._clock = clock
        self._jobs: dict[str, Object] = {}
        """The Jobs as they were listed last, by name."""
        self._since: dict[tuple[str, str], float] = {}
        """Since when which pod has waited for what, by this process's clock: the API server's may be an hour off."""
        self._tokens: dict[str, float] = {}
        """When the Secret of which Job was made, or found, last."""
        self._troubles: dict[str, tuple[float, str]] = {}
        """Why which Job has no pod, and when that was asked last."""

    def submit(self, spec: JobSpec) -> None:
        """Make a Job, unless it is there already, and then its Secret.

        If this process dies between the two, the pod waits for its Secret, and whoever lists the Job next makes it.

        Raises:
            InvalidData: The cluster does not accept the Job, or the name is somebody else's.
            NoRoom: A quota is used up.
        """
        self._guard()
        manifest = job_manifest(spec, self._profile)
        collection = in_namespace("jobs", manifest["metadata"]["namespace"])
        try:
            job = self._cluster.create(collection, manifest)
        except AlreadyThere:
            job = self._adopted(spec, self._cluster.read(f"{collection}/{spec.name}"))
        self._jobs[spec.name] = job
        self._give_token(job)

    def list(self) -> Sequence[Job]:
        """Every Job of this installation whose outcome is not recorded, and those whose pods still end."""
        labels = selector(self._profile)
        # Pods first: a pod whose Job is not in the later list has lost it, and not merely got it since.
        pods = self._list("pods", labels, fields="status.phase!=Succeeded,status.phase!=Failed")
        jobs = self._list("jobs", labels)
        self._jobs = {job["metadata"]["name"]: job for job in jobs}
        by_job: dict[str, list[Object]] = {}
        for pod in pods:
            by_job.setdefault(pod["metadata"]["labels"].get(JOB_NAME, ""), []).append(pod)
        waited: set[tuple[str, str]] = set()
        found = [self._seen(job, by_job.pop(name, []), waited) for name, job in self._jobs.items()]
        found += [job for name, left in by_job.items() if (job := self._ending(name, left[0], waited)) is not None]
        self._since = {key: since for key, since in self._since.items() if key in waited}
        uids = {job["metadata"]["uid"] for job in jobs}
        self._tokens = {uid: at for uid, at in self._tokens.items() if uid in uids}
        self._troubles = {uid: told for uid, told in self._troubles.items() if uid in uids}
        return found

    def logs(self, name: str) -> Iterator[bytes]:
        """The end of what the job's newest pod has printed so far."""
        job = self._known(name)
        if job is None:
            return
        namespace = job["metadata"]["namespace"]
        pods = self._pods_of(job)
        if not pods:
            return
        newest = max(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        path = f"{in_namespace('pods', namespace, newest['metadata']['name'])}/log"
        most = parse_size(self._profile.log)
        log = self._cluster.text(path, {"container": CONTAINER, "tailLines": LINES, "limitBytes": 4 * most})
        if len(log) > most:
            yield b"(earlier lines are left out)\n"
            log = log[-most:].partition(b"\n")[2] or log[-most:]
        yield log

    def cancel(self, name: str) -> None:
        """Delete a Job that has not ended, and its pods with it; one that is gone already is no error."""
        job = self._known(name)
        if job is not None and not ended(job):
            self._delete(job)

    def remove(self, name: str) -> None:
        """Let an ended Job go in its time, now that its outcome is recorded; one that has not ended goes at once.

        If this process dies before it, the Job is listed again, and nobody needs it.
        """
        job = self._known(name)
        if job is None:
            return
        if ended(job):
            self._guard()
            metadata = job["metadata"]
            path = in_namespace("jobs", metadata["namespace"], name)
            # A Job that changed since it was listed, or that another leader made since, is listed again, and looked at.
            self._cluster.patch(path, recorded_patch(self._profile), version=metadata["resourceVersion"])
        else:
            self._delete(job)
        self._jobs.pop(name, None)

    def _delete(self, job: Object) -> None:
        self._guard()
        metadata = job["metadata"]
        self._cluster.delete(in_namespace("jobs", metadata["namespace"], metadata["name"]), uid=metadata["uid"])
        self._jobs.pop(metadata["name"], None)

    def _list(self, kind: str, labels: str, fields: str = "") -> Sequence[Object]:
        return [
            found
            for namespace in self._profile.namespaces
            for found in self._cluster.list(in_namespace(kind, namespace), labels=labels, fields=fields)
        ]

    def _known(self, name: str) -> Object | None:
        """A Job of this installation, as it was listed last, else as it is now."""
        if name in self._jobs:
            return self._jobs[name]
        for namespace in self._profile.namespaces:
            job = self._cluster.read(in_namespace("jobs", namespace, name))
            if job is not None and self._is_ours(job):
                return job
        return None

    def _is_ours(self, job: Object) -> bool:
        labels = job["metadata"].get("labels") or {}
        return labels.get(MANAGED_BY) == "modelyard" and labels.get(INSTALLATION) == self._profile.installation

    def _adopted(self, spec: JobSpec, job: Object | None) -> Object:
        """The Job that has the name already: somebody made it before he died, or lost the answer."""
        if job is None:
            reason = f"the Job `{spec.name}` was there, and is gone again"
            raise Unavailable(reason)
        annotations = job["metadata"].get("annotations") or {}
        if not self._is_ours(job) or annotations.get(DIGEST) != spec_digest(spec):
            reason = f"there is another Job of the name `{spec.name}` in the namespace `{job['metadata']['namespace']}`"
            raise InvalidData(reason, "it is not this run's; whoever made it can delete it")
        if RECORDED in job["metadata"]["labels"]:  # of a try whose outcome is known: another run's, for a shared build
            self._delete(job)
            reason = f"an earlier Job of the name `{spec.name}` to be gone"
            raise NoRoom(reason)
        return job

    def _give_token(self, job: Object) -> None:
        metadata = job["metadata"]
        labels = metadata["labels"]
        run, tries = labels.get(RUN, ""), labels.get(TRIES, "")
        if not run or not tries.isdecimal():
            reason = f"the Job `{metadata['name']}` does not say which run and which try it is of"
            raise InvalidData(reason, "somebody has changed its labels")
        token = self._token_of(run, int(tries))
        secret = secret_manifest(metadata, token, profile=self._profile)
        self._guard()
        # One that is there holds the same token. Should it be an earlier Job's, it goes with that, and is made anew.
        with suppress(AlreadyThere):
            self._cluster.create(in_namespace("secrets", metadata["namespace"]), secret, readable=False)
        self._tokens[metadata["uid"]] = self._clock()

    def _seen(self, job: Object, pods: Sequence[Object], waited: set[tuple[str, str]]) -> Job:
        """A Job as it is seen; what hinders this one alone is told of it, as the list is everybody's."""
        try:
            return self._look(job, pods, waited)
        except NoRoom as error:
            return replace(look(job, pods).job, reason=f"waits for {error.reason}")
        except InvalidData as error:
            return replace(look(job, pods).job, state=JobState.FAILED, reason=str(error), permanent=True)

    def _look(self, job: Object, pods: Sequence[Object], waited: set[tuple[str, str]]) -> Job:
        if ended(job):
            return look(job, self._pods_of(job)).job
        seen = look(job, pods)
        uid = job["metadata"]["uid"]
        if seen.needs_token and self._clock() - self._tokens.get(uid, -TOKEN_INTERVAL) >= TOKEN_INTERVAL:
            self._give_token(job)
        if seen.waits is None or seen.job.ends:
            return seen.job
        key = (seen.subject, seen.waits.value)
        waited.add(key)
        patience = self._clock() - self._since.setdefault(key, self._clock())
        if seen.waits is Waits.POD:
            return self._podless(job, seen, patience)
        longest = self._longest(seen.waits)
        if longest is None or patience < longest.total_seconds():
            return seen.job
        reason = seen.job.reason
        if seen.waits is Waits.NODE:
            reason = f"no node took it within {format_duration(longest)}: {reason.removeprefix('waits for a node: ')}"
        return replace(seen.job, state=JobState.FAILED, reason=reason, permanent=True)

    def _podless(self, job: Object, seen: Seen, patience: float) -> Job:
        """A Job without a pod: the events say why, where that takes long."""
        uid, now = job["metadata"]["uid"], self._clock()
        asked, trouble = self._troubles.get(uid, (now - EVENT_INTERVAL + TOKEN_INTERVAL, ""))
        if now - asked >= EVENT_INTERVAL:
            trouble = self._trouble(job)
            asked = now
        self._troubles[uid] = (asked, trouble)
        if not trouble:
            return seen.job
        reason = f"its pod can't be made: {trouble}"
        is_quota = "exceeded quota" in trouble
        longest = self._profile.unschedulable if is_quota else self._profile.image_pull
        if patience < longest.total_seconds():
            return replace(seen.job, reason=reason)
        return replace(seen.job, state=JobState.FAILED, reason=reason, permanent=True)

    def _trouble(self, job: Object) -> str:
        metadata = job["metadata"]
        events = self._cluster.list(
            in_namespace("events", metadata["namespace"]), fields=f"involvedObject.uid={metadata['uid']},type=Warning"
        )
        if not events:
            return ""
        last = max(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return " ".join(str(last.get("message", "")).replace("Error creating: ", "").split())[:300]

    def _longest(self, waits: Waits) -> timedelta | None:
        """How long a pod may wait for something; None where that is not ours to bound."""
        bounds = {
            Waits.NODE: self._profile.unschedulable,
            Waits.IMAGE: self._profile.image_pull,
            Waits.CONTAINER: self._profile.image_pull,
            Waits.HOPELESS: self._profile.image_pull * 0,
        }
        return bounds.get(waits)

    def _ending(self, name: str, pod: Object, waited: set[tuple[str, str]]) -> Job | None:
        """A job whose Job is gone while its pod still ends; None once it has not for too long."""
        key = (pod["metadata"]["uid"], "end")
        waited.add(key)
        patience = self._clock() - self._since.setdefault(key, self._clock())
        if patience > self._profile.grace.total_seconds() + STUCK:
            return None
        return ending(name, pod)

    def _pods_of(self, job: Object) -> Sequence[Object]:
        metadata = job["metadata"]
        found = self._cluster.list(in_namespace("pods", metadata["namespace"]), labels=f"{JOB_NAME}={metadata['name']}")
        return [pod for pod in found if _owned(pod, metadata["uid"])]


def _owned(pod: Object, uid: str) -> bool:
    """Whether a pod is of this very Job, and not of one that had its name before."""
    return any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or ())
