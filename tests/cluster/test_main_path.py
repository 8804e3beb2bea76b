"""From a laptop with a token to predictions in a cluster, through nothing but the front door."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from modelyard.cli.main import run
from tests.cluster.images import ROOT
from tests.cluster.installation import CHART, Installation, installations
from tests.cluster.tools import until
from tests.waiting import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

MODEL = "ke_loan_default_scorecard"
END = "2026-07-01"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    yield from installations(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def lender(installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lender with one market and one model, and its data in the bucket."""
    folder = tmp_path_factory.mktemp("lender")
    data = folder / "data"
    asked = ["--markets", "ke", "--days", "150", "--borrowers", "400", "--end", END, "--seed", "7", "--out", str(data)]
    assert run(["simulate", "lender", *asked]) == 0
    bucket = installed.aws("s3")
    for file in sorted(data.rglob("*.parquet")):
        bucket.upload_file(str(file), installed.name, f"lender/{file.relative_to(data)}")
    project = folder / "project"
    shutil.copytree(ROOT / "configs" / "lender", project, ignore=shutil.ignore_patterns(".modelyard", "data"))
    change(project / "modelyard.yaml", vars={"data": {"default": f"s3://{installed.name}/lender"}})
    change(
        project / "models" / "loan_default.yaml",
        for_each={"market": ["ke"], "architecture": ["scorecard"]},
        evaluation={"metrics": ["roc_auc", "brier"]},
        promotion="manual",
        resources={"cpu": 0.25, "memory": "1Gi", "timeout": "10m"},
    )
    return project


def change(file: Path, **fields: Any) -> None:
    """Write a document with some fields changed."""
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **fields}, sort_keys=False))


@pytest.fixture(scope="module")
def live(installed: Installation, lender: Path) -> int:
    """The number of a version that was trained by Jobs, and is live."""
    installed.cli("validate", person="amina", cwd=lender)
    applied = json.loads(installed.cli("apply", "--wait", "--json", person="amina", cwd=lender))
    (one,) = applied["runs"]
    assert one["state"] == "SUCCEEDED", one["reason"]
    number = int(one["version"])
    # Live now; a promotion would wait for the next midnight.
    installed.cli("rollback", MODEL, "--to", str(number), person="brian", cwd=lender)
    return number


def test_the_services_are_ready_and_take_the_tokens_of_service_accounts(installed: Installation) -> None:
    installed.helm("test")


def test_everything_holds_to_the_restricted_profile(installed: Installation) -> None:
    labels = json.loads(installed.kubectl("get", "namespace", installed.runs, "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = installed.objects("pods", "--selector", "app.kubernetes.io/component")
    assert {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} >= {
        "registry", "scoring", "controller", "poller"
    }  # fmt: skip


def test_nobody_calls_without_a_token(installed: Installation) -> None:
    assert httpx.get(f"{installed.registry_url}/health").status_code == 200
    assert httpx.get(f"{installed.registry_url}/v1/models").status_code == 401
    forged = {"Authorization": "Bearer of-nobody"}
    assert httpx.get(f"{installed.registry_url}/v1/models", headers=forged).status_code == 401


def test_a_version_is_trained_by_jobs_and_lies_in_dynamodb_and_s3(installed: Installation, live: int) -> None:
    shown = json.loads(installed.cli("models", MODEL, "--json", person="chao"))
    assert [(one["number"], one["state"]) for one in shown["versions"]] == [(live, "READY")]
    jobs = installed.objects("jobs", namespace=installed.runs)
    assert "train" in {job["metadata"]["labels"]["modelyard.dev/kind"] for job in jobs}
    assert installed.aws("dynamodb").describe_table(TableName=installed.name)["Table"]["ItemCount"] > 0
    kept = installed.aws("s3").list_objects_v2(Bucket=installed.name, Prefix="registry/")
    assert [one for one in kept["Contents"] if f"/{MODEL}/" in one["Key"]]
    installed.cli("registry", "check")


def test_a_build_pod_reads_no_source_from_where_it_may_not(installed: Installation, tmp_path: Path) -> None:
    """The author's path leads into the registry's own files, which the pod's credentials open."""
    source = {
        "kind": "Source",
        "name": "taken",
        "format": "csv",
        "path": f"s3://{installed.name}/registry/**/*.json",
        "columns": {"x": "double", "y": "double"},
    }
    model = {
        "kind": "Model",
        "name": "taken",
        "task": "regression",
        "data": {"labels": {"source": "taken", "label": "y"}, "features": [{"source": "taken"}]},
        "pipeline": [{"use": "sklearn.linear_model.LinearRegression"}],
        "evaluation": {"metrics": ["rmse"]},
    }
    project = {"kind": "Project", "name": "taken", "defaults": {"owner": "credit"}, "modules": ["sklearn"]}
    documents: dict[str, dict[str, Any]] = {"modelyard": project, "source": source, "model": model}
    for name, content in documents.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"apiVersion": "modelyard/v1", **content}))
    (one,) = json.loads(installed.cli("apply", "--wait", "--json", person="amina", cwd=tmp_path, code=65))["runs"]
    assert (one["state"], one["version"], one["tries"]) == ("FAILED", None, 1)
    assert "lies where no source may" in one["reason"]


def test_airflow_is_told_what_to_run(installed: Installation, live: int) -> None:
    def listed() -> Any:
        poller = f"deployment/{installed.release}-modelyard-poller"
        listing = json.loads(installed.kubectl("exec", poller, "--", "modelyard", "dags", "--json"))
        return [dag for dag in listing["dags"] if dag["model"] == MODEL and dag["live"] is not None]

    (dag,) = until(listed, what="the model's DAG")
    assert dag["live"] == live


def row(installed: Installation) -> dict[str, Any]:
    """A row for the model, as the scoring service describes what its rows hold."""
    found = httpx.get(f"{installed.url('scoring')}/v1/models", headers=installed.headers("chao")).json()
    model = next(one for one in found["models"] if one["model"] == MODEL)
    return dict.fromkeys(model["features"])


def test_predictions_are_answered_over_http(installed: Installation, live: int) -> None:
    where = f"{installed.url('scoring')}/v1/models/{MODEL}/score"

    def answered() -> bool:
        return httpx.post(where, headers=installed.headers("chao"), json={"features": [{}]}).status_code not in {
            404,
            503,
        }

    until(answered, seconds=180, what="the live version")
    answer = httpx.post(where, headers=installed.headers("chao"), json={"features": [row(installed)]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == live
    (prediction,) = answer.json()["predictions"]
    assert 0 <= prediction["prediction"] <= 1
    assert httpx.post(where, json={"features": [row(installed)]}).status_code == 401


@dataclass
class Load:
    """What became of requests to both services."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def under_load(installed: Installation) -> Iterator[Load]:
    """Requests to both services, a bounded number a second, until it ends; each connection is used again."""
    score = f"{installed.url('scoring')}/v1/models/{MODEL}/score"
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"{installed.registry_url}/v1/models", None),
        ("POST", score, {"features": [row(installed)]}),
    ]
    load = Load()
    with httpx.Client(headers=installed.headers("chao"), timeout=10) as client:

        def send(method: str, url: str, body: Any) -> None:
            try:
                answer = client.request(method, url, json=body)
            except httpx.HTTPError as error:
                load.failed.append(f"{method} {url}: {type(error).__name__}: {error}")
            else:
                load.answered += 1
                if answer.status_code != 200:
                    load.failed.append(f"{method} {url}: {answer.status_code} {answer.text[:200]}")

        with meanwhile(*[partial(send, *one) for one in asked * 2], every=0.1):
            yield load


def pods_of(installed: Installation, part: str) -> set[str]:
    """The pods of a part that are not about to go."""
    pods = installed.objects("pods", "--selector", f"app.kubernetes.io/component={part}")
    return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def going(installed: Installation) -> list[str]:
    """The pods that are about to go."""
    pods = installed.objects("pods", "--selector", "app.kubernetes.io/component")
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]


def secret(installed: Installation, name: str) -> Any:
    return json.loads(installed.kubectl("get", "secret", f"{installed.release}-modelyard-{name}", "-o", "json"))["data"]


def test_an_upgrade_and_its_rollback_under_load_fail_no_request(installed: Installation, live: int) -> None:
    assert live
    key, parts = secret(installed, "run-key"), ("registry", "scoring", "controller")
    before = {part: pods_of(installed, part) for part in parts}
    changed = {part: {"env": [{"name": "UPGRADED", "value": "yes"}]} for part in parts}
    with under_load(installed) as load:
        until(lambda: load.answered > 10, what="the first answers")
        installed.helm("upgrade", str(CHART), "--values", installed.values_file(**changed), "--wait", "--timeout", "5m")
        installed.wait()
        upgraded = {part: pods_of(installed, part) for part in parts}
        installed.helm("rollback", "1", "--wait", "--timeout", "5m")
        installed.wait()
        until(lambda: not going(installed), seconds=120, what="the end of the last of the old pods")
    assert load.failed == []
    assert load.answered > 200
    after = {part: pods_of(installed, part) for part in parts}
    for part in parts:
        assert not before[part] & upgraded[part], f"{part} was not upgraded"
        assert not upgraded[part] & after[part], f"{part} was not rolled back"
    assert secret(installed, "run-key") == key
    for part in parts:
        deployed = json.loads(
            installed.kubectl("get", f"deployment/{installed.release}-modelyard-{part}", "-o", "json")
        )
        (container,) = deployed["spec"]["template"]["spec"]["containers"]
        assert "UPGRADED" not in {one["name"] for one in container["env"]}
