"""A namespace of a real cluster, a launcher over it, and pods that play jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from modelyard.canonical import digest
from modelyard.config.kinds.model import Resources
from modelyard.training.launchers.kubernetes.api import Cluster, in_namespace, load_client
from modelyard.training.launchers.kubernetes.launcher import KubernetesLauncher
from modelyard.training.launchers.kubernetes.profile import Profile
from modelyard.training.launchers.launcher import Job, JobKind, JobSpec, JobState
from tests.cluster.images import image
from tests.cluster.tools import until

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAYED = Path(__file__).parent / "played"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
SMALL = Resources(cpu=0.1, memory="64Mi")


def kubeconfig() -> Path:
    """The cluster to test with."""
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.fail("there is no cluster: set KUBECONFIG, or run `make test-cluster`")
    return Path(path)


class World:
    """A namespace, and what is done in it."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster, self.namespace, self.image = cluster, namespace, image

    def profile(self, **more: Any) -> Profile:
        pods = {"image": self.image, "service_account": "modelyard-train"}
        usual: dict[str, Any] = {
            "namespace": self.namespace,
            "lease_namespace": self.namespace,
            "registry": "http://10.244.0.1:1",
            "training": pods,
            "build": {**pods, "resources": SMALL.content()},
            "grace": "2s",
            "scratch": "64Mi",
        }
        return Profile.model_validate({**usual, **more})

    def launcher(self, **profile: Any) -> KubernetesLauncher:
        return KubernetesLauncher(self.cluster, self.profile(**profile), lambda run, tries: f"token of {run}/{tries}")

    def objects(self, kind: str, labels: str = "") -> list[dict[str, Any]]:
        return self.cluster.list(in_namespace(kind, self.namespace), labels=labels)

    def object(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.cluster.read(in_namespace(kind, self.namespace, name))

    def uid(self, kind: str, name: str) -> str:
        found = self.object(kind, name)
        return "" if found is None else str(found["metadata"]["uid"])

    def pods(self, job: str) -> list[dict[str, Any]]:
        return self.objects("pods", f"batch.kubernetes.io/job-name={job}")

    def phases(self, job: str) -> list[str]:
        return [pod["status"]["phase"] for pod in self.pods(job)]

    def runs(self, job: str) -> None:
        """Wait until a job's pod runs."""
        until(lambda: self.phases(job) == ["Running"], what=f"the pod of {job}")

    def evict(self, pod: dict[str, Any]) -> None:
        """Take a pod away as the drain of a node does."""
        metadata = pod["metadata"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": self.namespace},
        }
        self.cluster.create(f"{in_namespace('pods', self.namespace, metadata['name'])}/eviction", body)


def spec(does: str, *, tries: int = 1, team: str = "credit-ke", **more: Any) -> JobSpec:
    """A job that does something."""
    run = f"{does}-{digest(does)[:12]}-1"
    usual: dict[str, Any] = {
        "name": f"{run}-{tries}",
        "module": "modelyard.jobs.train",
        "resources": SMALL,
        "kind": JobKind.TRAIN,
        "run": run,
        "tries": tries,
        "team": team,
        "digest": digest(does),
    }
    return JobSpec(**{**usual, **more})


def listed(launcher: KubernetesLauncher, name: str) -> Job | None:
    """A job as the launcher lists it."""
    return next((job for job in launcher.list() if job.name == name), None)


def ended(launcher: KubernetesLauncher, name: str, seconds: float = 60) -> Job:
    """A job, once it has ended."""

    def look() -> Job | None:
        job = listed(launcher, name)
        return job if job is not None and job.state is not JobState.RUNNING else None

    found = until(look, seconds=seconds, what=f"the end of {name}")
    assert isinstance(found, Job)
    return found


def make_namespace(cluster: Cluster, prefix: str) -> str:
    """A new namespace that enforces the restricted profile, with the service account of pods that train."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    cluster.create(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}},
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "modelyard-train"}}
    cluster.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
    return name


def drop_namespace(cluster: Cluster, name: str) -> None:
    """Remove a namespace, with all that is in it."""
    found = cluster.read(f"/api/v1/namespaces/{name}")
    if found is not None:
        cluster.delete(f"/api/v1/namespaces/{name}", uid=found["metadata"]["uid"])


def worlds(prefix: str) -> Iterator[World]:
    """A world, gone at the end."""
    cluster = Cluster(load_client(kubeconfig()))
    played = image("played", PLAYED, context=PLAYED)
    namespace = make_namespace(cluster, prefix)
    try:
        yield World(cluster, namespace, played)
    finally:
        drop_namespace(cluster, namespace)
