"""A profile, a job, and what the API server says of it: for tests without a cluster, and with one."""

from __future__ import annotations

from typing import Any

from modelyard.config.kinds.model import Resources
from modelyard.training.launchers.kubernetes.manifests import CONTAINER, job_manifest
from modelyard.training.launchers.kubernetes.profile import Profile
from modelyard.training.launchers.launcher import JobKind, JobSpec


def profile(**more: Any) -> Profile:
    """An operator's profile."""
    pods = {"image": "localhost/trainer:1", "service_account": "modelyard-train"}
    usual: dict[str, Any] = {
        "namespace": "training",
        "registry": "http://registry:8700",
        "training": pods,
        "build": {**pods, "service_account": "modelyard-build"},
    }
    return Profile.model_validate({**usual, **more})


def spec(kind: JobKind = JobKind.TRAIN, **more: Any) -> JobSpec:
    """A job of a run."""
    usual: dict[str, Any] = {
        "name": "ke-loan-default-4f1c92ab77d0-1-2",
        "module": "modelyard.jobs.train",
        "resources": Resources(cpu=0.5, memory="512Mi"),
        "kind": kind,
        "run": "ke-loan-default-4f1c92ab77d0-1",
        "tries": 2,
        "team": "credit-ke",
        "digest": "4f1c92ab77d0" + "0" * 52,
    }
    return JobSpec(**{**usual, **more})


def job(condition: tuple[str, str] | None = None, *, kind: JobKind = JobKind.TRAIN, **changes: Any) -> dict[str, Any]:
    """A Job as the API server tells of it; ended by a condition's type and reason."""
    made = job_manifest(spec(kind), profile())
    made["metadata"] |= {"uid": "job-uid", "creationTimestamp": "2026-11-20T09:00:00Z"}
    conditions = [{"type": "Suspended", "status": "False"}]
    if condition is not None:
        conditions.append({"type": condition[0], "status": "True", "reason": condition[1], "message": "told"})
    made["status"] = {"conditions": conditions}
    made["spec"] |= changes
    return made


def pod(phase: str = "Pending", name: str = "a", **status: Any) -> dict[str, Any]:
    """A pod of it."""
    return {
        "metadata": {
            "name": name,
            "uid": f"pod-{name}",
            "creationTimestamp": "2026-11-20T09:00:01Z",
            "labels": job_manifest(spec(), profile())["spec"]["template"]["metadata"]["labels"],
        },
        "status": {"phase": phase, **status},
    }


def ended_pod(code: int, reason: str = "Error", message: str = "", name: str = "a", **status: Any) -> dict[str, Any]:
    """A pod whose container has ended."""
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    containers = [{"name": CONTAINER, "image": "i", "state": state}]
    return pod("Succeeded" if code == 0 else "Failed", name, containerStatuses=containers, **status)


def waiting_pod(reason: str, message: str = "") -> dict[str, Any]:
    """A pod whose container has not begun."""
    state = {"waiting": {"reason": reason, "message": message}}
    containers = [{"name": CONTAINER, "image": "localhost/trainer:1", "state": state}]
    return pod(conditions=[{"type": "PodScheduled", "status": "True"}], containerStatuses=containers)
