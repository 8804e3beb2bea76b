"""From a job to what Kubernetes is told: a Job, and the Secret with its run's token.

Our loop is the one layer of retries: it knows which failures are for good, it waits between tries, and it counts them
on the run. So a Job never starts a failed pod again (`backoffLimit: 0`); it replaces a pod that the cluster took away
(`DisruptionTarget`), which is no failure of the run's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.canonical import digest
from modelyard.config.kinds.base import format_duration, parse_size
from modelyard.errors import InvalidData
from modelyard.training.launchers.launcher import THREAD_VARIABLES, JobKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.config.kinds.model import Resources
    from modelyard.training.launchers.kubernetes.profile import Pods, Profile
    from modelyard.training.launchers.launcher import JobSpec

DOMAIN = "modelyard.dev"
INSTALLATION = f"{DOMAIN}/installation"
RUN = f"{DOMAIN}/run"
TRIES = f"{DOMAIN}/tries"
TEAM = f"{DOMAIN}/team"
KIND = f"{DOMAIN}/kind"
DIGEST = f"{DOMAIN}/digest"
MEMORY = f"{DOMAIN}/memory"
TIMEOUT = f"{DOMAIN}/timeout"
RECORDED = f"{DOMAIN}/recorded"
"""On a Job whose outcome the registry holds: it is left to its end, and not listed any more."""
MANAGED_BY = "app.kubernetes.io/managed-by"
QUEUE = "kueue.x-k8s.io/queue-name"
JOB_NAME = "batch.kubernetes.io/job-name"

CONTAINER = "job"
PERMANENT_EXIT = InvalidData.exit_code
HOME = "/var/lib/modelyard"
TOKENS = "/var/run/secrets/modelyard"
TOKEN_FILE = f"{TOKENS}/token"
_TOKEN_ALONE = {"defaultMode": 0o440, "items": [{"key": "token", "path": "token"}]}  # whatever else a Secret may hold


def namespace_of(spec: JobSpec, profile: Profile) -> str:
    """Where a job goes."""
    return profile.team(spec.team).namespace or profile.namespace


def selector(profile: Profile) -> str:
    """The labels of this installation's Jobs whose outcome is not recorded yet."""
    return f"{MANAGED_BY}=modelyard,{INSTALLATION}={profile.installation},!{RECORDED}"


def spec_digest(spec: JobSpec) -> str:
    """What a job is to do, whatever the profile says by now: another digest under the same name is another job."""
    return digest({"name": spec.name, "module": spec.module, "asked": spec.digest})


def job_manifest(spec: JobSpec, profile: Profile) -> dict[str, Any]:
    """The Job of a job."""
    resources = _resources(spec, profile)
    timeout = int(resources.timeout.total_seconds())
    team = profile.team(spec.team)
    queue = profile.queue if team.queue is None else team.queue
    labels = _labels(spec, profile)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": spec.name,
            "namespace": namespace_of(spec, profile),
            "labels": {**labels, **({QUEUE: queue} if queue else {})},
            "annotations": {
                DIGEST: spec_digest(spec),
                MEMORY: resources.memory,
                TIMEOUT: format_duration(resources.timeout),
            },
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",  # never two pods of one try at the same time
            # The pod has the run's time from its start on; what waits for a node is bounded beside it.
            "activeDeadlineSeconds": timeout + int(profile.unschedulable.total_seconds()),
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [PERMANENT_EXIT]},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {"metadata": {"labels": labels}, "spec": _pod(spec, profile, resources)},
        },
    }


def secret_name(job: str, run: str) -> str:
    """The name of a Job's Secret.

    Not the Job's alone: another run's build may have that of one that has just gone, whose Secret goes a little later.
    """
    return f"{job}.{run}"


def secret_manifest(job: Mapping[str, Any], token: str, *, profile: Profile) -> dict[str, Any]:
    """The Secret with a run's token, owned by its Job and gone with it.

    Args:
        job: The Job's metadata.
        token: The token; the same for the same try, so that whoever makes the Secret again makes the same.
        profile: The operator's profile.
    """
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["name"], "uid": job["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": secret_name(job["name"], job["labels"][RUN]),
            "namespace": job["namespace"],
            "labels": {MANAGED_BY: "modelyard", INSTALLATION: profile.installation},
            "ownerReferences": [{**owner, "blockOwnerDeletion": False}],
        },
        "stringData": {"token": token},
    }


def recorded_patch(profile: Profile) -> dict[str, Any]:
    """What is changed of a Job once its outcome is recorded: it goes after a while, by itself."""
    return {
        "metadata": {"labels": {RECORDED: "true"}},
        "spec": {"ttlSecondsAfterFinished": int(profile.keep.total_seconds())},
    }


def _labels(spec: JobSpec, profile: Profile) -> dict[str, str]:
    return {
        MANAGED_BY: "modelyard",
        "app.kubernetes.io/name": f"modelyard-{spec.kind}",
        INSTALLATION: profile.installation,
        KIND: spec.kind,
        RUN: spec.run,
        TRIES: str(spec.tries),
        TEAM: spec.team.strip("-"),  # an owner's name may end in a hyphen, a label's value may not
    }


def _resources(spec: JobSpec, profile: Profile) -> Resources:
    """What a job's pod may use; a build's is not for the run that happened to ask first to say."""
    return profile.build.resources if spec.kind is JobKind.BUILD else spec.resources


def _pod(spec: JobSpec, profile: Profile, resources: Resources) -> dict[str, Any]:
    pods = profile.training if spec.kind is JobKind.TRAIN else profile.build
    team = profile.team(spec.team)
    priority = pods.priority_class if team.priority_class is None else team.priority_class
    content = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(resources.timeout.total_seconds()),
        "terminationGracePeriodSeconds": int(profile.grace.total_seconds()),
        "serviceAccountName": pods.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": profile.user,
            "runAsGroup": profile.user,
            "fsGroup": profile.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec, profile, pods, resources)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": profile.scratch}},
            {"name": "home", "emptyDir": {"sizeLimit": profile.scratch}},
            {"name": "token", "secret": {"secretName": secret_name(spec.name, spec.run), **_TOKEN_ALONE}},
        ],
    }
    said = {
        "nodeSelector": pods.node_selector,
        "tolerations": list(pods.tolerations),
        "priorityClassName": priority,
        "imagePullSecrets": [{"name": name} for name in profile.image_pull_secrets],
    }
    return {**content, **{name: value for name, value in said.items() if value}}


def _container(spec: JobSpec, profile: Profile, pods: Pods, resources: Resources) -> dict[str, Any]:
    amounts = {"cpu": f"{round(resources.cpu * 1000)}m", "memory": str(parse_size(resources.memory))}
    if resources.gpu:
        amounts[profile.gpu] = str(resources.gpu)
    own = {
        "MODELYARD_RUN": spec.run,
        "MODELYARD_TRIES": str(spec.tries),
        "MODELYARD_TOKEN_FILE": TOKEN_FILE,
        "MODELYARD_HOME": f"{HOME}/state",
        "HOME": HOME,
        "TMPDIR": "/tmp",  # noqa: S108 - the pod's own
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(THREAD_VARIABLES, str(max(1, int(resources.cpu)))),
    }
    if spec.kind is JobKind.TRAIN or not any(one.get("name") == "MODELYARD_REGISTRY" for one in pods.env):
        own["MODELYARD_REGISTRY"] = profile.registry
    if spec.kind is JobKind.BUILD:
        own["MODELYARD_SOURCES"] = ",".join(profile.sources)
    return {
        "name": CONTAINER,
        "image": pods.image,
        "imagePullPolicy": pods.image_pull_policy,
        "command": ["python", "-m", spec.module],
        "workingDir": HOME,
        "env": [
            *(one for one in pods.env if one.get("name") not in own),  # what is ours is not the profile's to say
            *({"name": name, "value": value} for name, value in own.items()),
        ],
        **({"envFrom": list(pods.env_from)} if pods.env_from else {}),
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            {"name": "home", "mountPath": HOME},
            {"name": "token", "mountPath": TOKENS, "readOnly": True},
        ],
    }
