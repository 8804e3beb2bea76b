"""What Kubernetes is told of a job: valid in each version, fit for restricted namespaces, and the operator's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
from pydantic import ValidationError

from modelyard.config.kinds.model import Resources
from modelyard.errors import UsageError
from modelyard.training.launchers.kubernetes.manifests import job_manifest, recorded_patch, secret_manifest, spec_digest
from modelyard.training.launchers.kubernetes.profile import read_profile
from modelyard.training.launchers.launcher import JobKind
from tests.training.kubernetes_objects import profile, spec

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.training.launchers.launcher import JobSpec

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34")


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", list(JobKind))
def test_manifests_are_valid(version: str, kind: JobKind) -> None:
    everything = profile(
        queue="gold",
        image_pull_secrets=["pull"],
        training={
            "image": "i",
            "service_account": "train",
            "env": [{"name": "REGION", "value": "x"}],
            "env_from": [{"secretRef": {"name": "aws"}}],
            "node_selector": {"pool": "training"},
            "tolerations": [{"key": "training", "operator": "Exists"}],
            "priority_class": "low",
        },
    )
    for one in (profile(), everything):
        kubernetes_validate.validate(job_manifest(spec(kind), one), version, strict=True)
    job = {**job_manifest(spec(kind), profile())["metadata"], "uid": "uid"}
    secret = secret_manifest(job, "token", profile=profile())
    assert secret["metadata"]["name"] == f"{spec().name}.{spec().run}"
    kubernetes_validate.validate(secret, version, strict=True)


@pytest.mark.parametrize("kind", list(JobKind))
def test_pods_hold_to_the_restricted_profile(kind: JobKind) -> None:
    pod = pod_of(job_manifest(spec(kind), profile()))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(key for key in volume if key != "name") for volume in pod["volumes"]} <= {
        "emptyDir",
        "secret",
    }
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    assert container["resources"]["requests"] == container["resources"]["limits"]
    limits = {JobKind.TRAIN: ("500m", 512 << 20), JobKind.BUILD: ("1000m", 2 << 30)}  # a build's are not its run's
    cpu, memory = limits[kind]
    assert container["resources"]["limits"] == {"cpu": cpu, "memory": str(memory)}


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_pod_has_its_runs_token_and_nobody_elses(kind: JobKind) -> None:
    def token_of(job: JobSpec) -> str:
        volumes = pod_of(job_manifest(job, profile()))["volumes"]
        (token,) = [volume["secret"] for volume in volumes if volume["name"] == "token"]
        assert token["items"] == [{"key": "token", "path": "token"}]
        return str(token["secretName"])

    first = token_of(spec(kind))
    assert first == f"{spec().name}.{spec().run}"
    assert token_of(spec(kind, run="other-4f1c92ab77d0-1")) != first, "builds of one name may be of several runs"


def test_a_pod_that_trains_has_no_other_identity() -> None:
    pod = pod_of(job_manifest(spec(), profile()))
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert environment["MODELYARD_REGISTRY"] == "http://registry:8700"
    assert environment["MODELYARD_RUN"] == spec().run
    assert environment["MODELYARD_TRIES"] == "2"
    assert not [name for name in environment if name.startswith("AWS")]
    assert pod["serviceAccountName"] == "modelyard-train"


def test_a_pod_that_builds_has_the_variables_of_its_profile() -> None:
    pods = {
        "image": "i",
        "service_account": "modelyard-build",
        "env": [{"name": "MODELYARD_REGISTRY", "value": "dynamodb+s3://t/b"}, {"name": "MODELYARD_RUN", "value": "x"}],
    }
    pod = pod_of(job_manifest(spec(JobKind.BUILD, module="modelyard.jobs.build"), profile(build=pods)))
    assert pod["serviceAccountName"] == "modelyard-build"
    assert pod["automountServiceAccountToken"] is False
    named = [(one["name"], one["value"]) for one in pod["containers"][0]["env"]]
    assert ("MODELYARD_REGISTRY", "dynamodb+s3://t/b") in named
    assert [value for name, value in named if name == "MODELYARD_RUN"] == [spec().run], "what is ours stays ours"
    assert pod["containers"][0]["command"] == ["python", "-m", "modelyard.jobs.build"]


def test_where_sources_may_lie_is_the_operators_to_say() -> None:
    pods = {"image": "i", "service_account": "build", "env": [{"name": "MODELYARD_SOURCES", "value": "/"}]}

    def said(kind: JobKind, **more: Any) -> list[str]:
        (container,) = pod_of(job_manifest(spec(kind), profile(build=pods, **more)))["containers"]
        return [one["value"] for one in container["env"] if one["name"] == "MODELYARD_SOURCES"]

    assert said(JobKind.BUILD) == [""], "nowhere but in packages"
    assert said(JobKind.BUILD, sources=["/data", "s3://lender/data"]) == ["/data,s3://lender/data"]
    assert said(JobKind.TRAIN, sources=["/data"]) == []
    for place in ("data", "s3://", "/a,/b"):
        with pytest.raises(ValidationError, match="sources"):
            profile(sources=[place])


def test_a_job_is_tried_once_and_has_its_time() -> None:
    made = job_manifest(spec(resources=Resources.model_validate({"timeout": "90s", "cpu": 1, "gpu": 2})), profile())
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["activeDeadlineSeconds"] == 90 + 15 * 60
    assert pod_of(made)["activeDeadlineSeconds"] == 90
    assert pod_of(made)["restartPolicy"] == "Never"
    assert pod_of(made)["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "ttlSecondsAfterFinished" not in made["spec"], "it stays until its outcome is recorded"
    assert recorded_patch(profile())["spec"]["ttlSecondsAfterFinished"] == 600
    actions = [rule["action"] for rule in made["spec"]["podFailurePolicy"]["rules"]]
    assert actions == ["FailJob", "Ignore"]


def test_a_build_has_what_the_operator_gives_whichever_run_asks_first() -> None:
    build = {"image": "i", "service_account": "build", "resources": {"cpu": 2, "timeout": "30m"}}
    asked = (Resources(cpu=8, memory="64Gi", gpu=1), Resources(cpu=0.1, memory="64Mi"))
    first, second = (job_manifest(spec(JobKind.BUILD, resources=one), profile(build=build)) for one in asked)
    assert first == second
    (container,) = pod_of(first)["containers"]
    assert container["resources"]["limits"] == {"cpu": "2000m", "memory": str(2 << 30)}
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in container["env"]
    assert pod_of(first)["activeDeadlineSeconds"] == 30 * 60
    assert first["spec"]["activeDeadlineSeconds"] == (30 + 15) * 60


def test_teams_have_namespaces_queues_and_priorities_of_their_own() -> None:
    teams = {"credit-ke": {"namespace": "credit", "queue": "gold", "priority_class": "high"}}
    one = profile(queue="usual", teams=teams)
    assert one.namespaces == ("training", "credit")
    made = job_manifest(spec(), one)
    assert made["metadata"]["namespace"] == "credit"
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
    assert pod_of(made)["priorityClassName"] == "high"
    other = job_manifest(spec(team="fraud-"), one)
    assert other["metadata"]["namespace"] == "training"
    assert other["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "usual"
    assert other["metadata"]["labels"]["modelyard.dev/team"] == "fraud"


def test_what_a_job_is_to_do_is_its_identity_and_the_profile_is_not() -> None:
    assert spec_digest(spec()) == spec_digest(spec(resources=Resources(cpu=4), team="other"))
    assert spec_digest(spec()) != spec_digest(spec(digest="f" * 64))
    assert spec_digest(spec()) != spec_digest(spec(module="modelyard.jobs.build"))


def test_a_profile_is_read_and_its_mistakes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text(
        "namespace: training\nregistry: http://registry:8700\nunschedulable: 5m\nteams: {credit-ke: {jobs: 2}}\n"
        "training: {image: i, service_account: train}\nbuild: {image: i, service_account: build}\n"
    )
    assert read_profile(file).team("credit-ke").jobs == 2
    file.write_text("namespace: Training\njobs: 0\nimage: x\n")
    with pytest.raises(UsageError, match=r"namespace.*registry: Field required.*jobs.*image: Extra"):
        read_profile(file)
    file.write_text("a: [")
    with pytest.raises(UsageError, match="is no YAML"):
        read_profile(file)
    with pytest.raises(UsageError, match="can't be read"):
        read_profile(tmp_path / "nowhere.yaml")
