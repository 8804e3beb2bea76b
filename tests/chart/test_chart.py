"""What the chart makes is what Kubernetes takes, and no more than each part needs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest
import yaml

from modelyard.training.launchers.kubernetes.profile import read_profile
from tests.chart.rendering import CASES, CHART, KUBERNETES, helm, named, pods, rendered

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.chart

CUSTOM = {"PodMonitor", "ServiceMonitor"}
"""Kinds that no Kubernetes knows by itself; their structure is checked below."""


def ids(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_helm_finds_nothing_to_mend(case: Path) -> None:
    done = helm("lint", "--strict", str(CHART), "--kube-version", f"{KUBERNETES[-1]}.0", "--values", str(case))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_every_kubernetes_takes_every_object(case: Path, kubernetes: str) -> None:
    objects = rendered("--values", str(case), kubernetes=kubernetes)
    for one in objects:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, kubernetes, strict=True)
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_every_pod_holds_to_the_restricted_profile_and_says_what_it_needs(case: Path) -> None:
    made = pods(rendered("--values", str(case)))
    assert made
    for name, pod in made:
        security = pod["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert {kind for volume in pod["volumes"] for kind in volume} <= {
            "name", "configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"
        }  # fmt: skip
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_nothing_is_made_for_a_part_that_does_not_run() -> None:
    all_on = "poller.enabled=true,monitoring.serviceMonitors.enabled=true,monitoring.dashboards.enabled=true"
    everything = {(one["kind"], one["metadata"]["name"]) for one in rendered("--set", all_on)}
    for part in ("scoring", "controller", "poller"):
        objects = rendered("--set", f"{all_on},{part}.enabled=false")
        if part == "poller":  # by its account `helm test` asks
            objects = [one for one in objects if one["kind"] not in {"ServiceAccount", "Pod", "Secret"}]
        assert [one["metadata"]["name"] for one in objects if f"-modelyard-{part}" in json.dumps(one)] == []
        assert part not in {one["metadata"]["labels"].get("app.kubernetes.io/component") for one in objects}
        assert {(one["kind"], one["metadata"]["name"]) for one in objects} < everything


def test_only_who_asks_the_api_server_has_a_token_for_it() -> None:
    made = dict(pods(rendered("--values", str(CHART / "ci" / "everything.yaml"))))
    assert {name: pod["automountServiceAccountToken"] for name, pod in made.items()} == {
        "mine-yard-registry": True,
        "mine-yard-scoring": True,
        "mine-yard-controller": True,
        "mine-yard-poller": False,
        "mine-yard-test": False,
    }


def test_the_controller_has_these_rights_and_no_more() -> None:
    objects = rendered("--values", str(CHART / "ci" / "everything.yaml"))
    for namespace in ("runs", "runs-fraud"):
        assert named(objects, "Role", "-controller", namespace)["rules"] == [
            {
                "apiGroups": ["batch"],
                "resources": ["jobs"],
                "verbs": ["create", "get", "list", "watch", "patch", "delete"],
            },
            {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
        ]
    assert named(objects, "Role", "-leader", "yard")["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"]}
    ]
    (reviews,) = named(objects, "ClusterRole", "-token-reviews")["rules"]
    assert reviews == {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    assert [one["metadata"]["name"] for one in objects if one["kind"] == "ClusterRole"] == [
        "yard-mine-yard-token-reviews"
    ]


def test_the_guide_says_what_the_controller_may_do() -> None:
    objects = rendered("--values", str(CHART / "ci" / "everything.yaml"))
    rules = named(objects, "Role", "-controller", "runs")["rules"] + named(objects, "Role", "-leader", "yard")["rules"]
    page = (CHART.parents[1] / "docs" / "operators-kubernetes.md").read_text(encoding="utf-8")
    for rule in rules:
        named_so = ", ".join(f"`{resource}`" for resource in rule["resources"])
        assert f"| {named_so} | {', '.join(rule['verbs'])} |" in page


def test_nobody_is_bound_in_the_name_of_pods_that_train() -> None:
    objects = rendered("--values", str(CHART / "ci" / "everything.yaml"))
    bound = {subject["name"] for one in objects if one["kind"].endswith("RoleBinding") for subject in one["subjects"]}
    assert bound == {"mine-yard-registry", "mine-yard-scoring", "mine-yard-controller"}


def test_pods_of_runs_call_with_the_tokens_of_their_runs_alone() -> None:
    secret = named(rendered("--values", str(CHART / "ci" / "everything.yaml")), "Secret", "-auth")
    subjects = yaml.safe_load(secret["stringData"]["auth.yaml"])["kubernetes"]["subjects"]
    own = [one for one in subjects if "mine-yard" in one["subject"]]
    assert own == [
        {"subject": "yard/mine-yard-scoring", "roles": ["viewer"]},
        {"subject": "yard/mine-yard-poller", "roles": ["viewer"]},
    ]


def test_a_pod_goes_only_when_its_successor_answers() -> None:
    objects = rendered()
    for name in ("registry", "scoring"):
        spec = named(objects, "Deployment", f"-{name}")["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        (container,) = spec["template"]["spec"]["containers"]
        linger = int(container["args"][container["args"].index("--linger") + 1])
        # Until it is taken out: a failed look at each end, and what kube-proxy takes.
        assert linger >= 5
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= linger + 30
        assert container["readinessProbe"]["httpGet"]["path"] == ("/ready" if name == "registry" else "/started")
        assert named(objects, "PodDisruptionBudget", f"-{name}")["spec"]["maxUnavailable"] == 1


def test_namespaces_of_runs_hold_to_the_restricted_profile_and_stay() -> None:
    for one in rendered("--values", str(CHART / "ci" / "everything.yaml")):
        if one["kind"] == "Namespace":
            assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
            assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert "Namespace" not in {one["kind"] for one in rendered("--set", "training.createNamespaces=false")}


@pytest.mark.parametrize("case", [case for case in CASES if case.stem != "registry-alone"], ids=ids)
def test_the_profile_is_one_that_the_controller_reads(case: Path, tmp_path: Path) -> None:
    objects = rendered("--values", str(case))
    file = tmp_path / "profile.yaml"
    file.write_text(named(objects, "ConfigMap", "-profile")["data"]["profile.yaml"])
    profile = read_profile(file)
    assert profile.installation == named(objects, "Deployment", "-controller")["metadata"]["name"].removesuffix(
        "-controller"
    )
    accounts = {
        (one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects if one["kind"] == "ServiceAccount"
    }
    roles = {one["metadata"]["namespace"] for one in objects if one["kind"] == "Role"}
    for namespace in profile.namespaces:
        assert {(namespace, profile.training.service_account), (namespace, profile.build.service_account)} <= accounts
        assert namespace in roles
    (registry,) = named(objects, "Deployment", "-registry")["spec"]["template"]["spec"]["containers"]
    assert {"name": "MODELYARD_TRAINER", "value": profile.training.image} in registry["env"]
    assert not [one for one in profile.training.env if str(one.get("name", "")).startswith("AWS_")]
    assert "AWS_REGION" in {one["name"] for one in profile.build.env}
    assert profile.sources == (("s3://lender/data", "/mnt/data") if case.stem == "everything" else ())


def test_pods_of_runs_call_only_what_is_named() -> None:
    objects = rendered("--values", str(CHART / "ci" / "everything.yaml"))
    policy = named(objects, "NetworkPolicy", "-runs", "runs")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert policy["egress"][2:] == [{"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]}]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("registry.replica=3", "replica"),
        ("registry.replicas=0", "replicas"),
        ("images.pullPolicy=Sometimes", "pullPolicy"),
        ("stores.registry=s3://there", "registry"),
        ("controller.enabled=maybe", "enabled"),
    ],
)
def test_values_that_mean_nothing_are_refused(setting: str, said: str) -> None:
    done = helm("template", "mine", str(CHART), "--kube-version", "1.34.0", "--set", setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_monitors_and_dashboards_are_there_where_they_are_wanted() -> None:
    kinds = {one["kind"] for one in rendered()}
    assert not kinds & {"ServiceMonitor", "HorizontalPodAutoscaler"}
    objects = rendered("--values", str(CHART / "ci" / "everything.yaml"))
    for name in ("registry", "scoring"):
        monitor = named(objects, "ServiceMonitor", f"-{name}")
        assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
        (endpoint,) = monitor["spec"]["endpoints"]
        service = named(objects, "Service", f"-{name}")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == "/metrics"
    monitor = named(objects, "PodMonitor", "-controller")
    pod = named(objects, "Deployment", "-controller")["spec"]["template"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    for name in ("registry", "scoring", "controller"):
        dashboard = named(objects, "ConfigMap", f"-{name}-dashboard")
        assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
        json.loads(dashboard["data"][f"{name}.json"])


def test_dashboards_show_metrics_that_there_are() -> None:
    shown = {
        name
        for file in (CHART / "dashboards").glob("*.json")
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(r"modelyard_\w+", target["expr"])
    }
    root = CHART.parents[1]
    files = (
        "registry_api/metrics.py",
        "scoring_service/metrics.py",
        "platform/modelyard/training/controller/monitor.py",
    )
    code = "".join((root / file).read_text() for file in files)
    counted = {re.sub(r"_(total|bucket)$", "", name) for name in shown}
    assert len(counted) > 5
    assert counted - set(re.findall(r'"(modelyard_\w+)"', code)) == set()


def test_the_test_of_an_installation_asks_both_services() -> None:
    pod = named(rendered(), "Pod", "-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert sum("/ready" in word for word in pod["spec"]["containers"][0]["command"]) == 2
