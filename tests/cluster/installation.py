"""Modelyard as it is installed: images of its own Dockerfiles, its chart in a fresh namespace, and its command line.

What is there already is said by variables: KUBECONFIG; TEST_DYNAMODB_URL and TEST_S3_URL with AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY (pods reach them, too); the images, as `images.py` says; and TEST_NODE, an address of a node for
its NodePorts, 127.0.0.1 unless said. `test_many_runs.py` wants more, for outages and audits. An example of each, for
kind, is in docs/operators-kubernetes.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
import yaml

from tests.cluster.images import ROOT, image
from tests.cluster.tools import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHART = ROOT / "charts" / "modelyard"
NODE = os.environ.get("TEST_NODE", "127.0.0.1")
NEEDED = ("KUBECONFIG", "TEST_DYNAMODB_URL", "TEST_S3_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REGION = "us-east-1"
TEAMS = ["credit", "credit-ke"]
PEOPLE: dict[str, dict[str, Any]] = {
    "amina": {"roles": ["author"], "teams": TEAMS},
    "brian": {"roles": ["approver"], "teams": TEAMS},
    "chao": {"roles": ["viewer"]},
}
"""Who has a token, and what he may do."""


def _parts(name: str) -> dict[str, str]:
    """An image under test, as the chart's values name it."""
    repository, _, tag = image(name, ROOT / "images" / name).rpartition(":")
    return {"repository": repository, "tag": tag}


class Installation:
    """One release of the chart, with stores of its own.

    Args:
        folder: A folder for what it needs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"modelyard-{uuid4().hex[:8]}"
        self.namespace, self.runs, self.release = self.name, f"{self.name}-runs", "yard"
        self.registry_address = f"dynamodb+s3://{self.name}/{self.name}/registry"
        self.datasets_address = f"s3://{self.name}/datasets"
        self.tokens = {person: uuid4().hex + uuid4().hex for person in PEOPLE}

    # Helm and kubectl

    def helm(self, verb: str, *words: str) -> str:
        """Run Helm on the release."""
        return run(["helm", verb, self.release, *words, "--namespace", self.namespace], timeout=600)

    def kubectl(self, *words: str, namespace: str | None = None, given: str | None = None) -> str:
        """Run kubectl in the release's namespace, or another one."""
        return run(["kubectl", "--namespace", namespace or self.namespace, *words], input=given)

    def objects(self, kind: str, *words: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """The objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json", *words, namespace=namespace))[
            "items"
        ]
        return found

    def install(self, **values: Any) -> None:
        """Make the stores and the namespace, and install the chart."""
        self.make_stores()
        self.kubectl("create", "namespace", self.namespace)
        self.kubectl("label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.kubectl("create", "-f", "-", given=self._credentials(self.namespace))
        self.helm("install", str(CHART), "--values", self.values_file(**values))
        self.kubectl("create", "-f", "-", namespace=self.runs, given=self._credentials(self.runs))
        self.wait()

    def wait(self) -> None:
        """Wait until every pod is ready."""
        for one in self.objects("deployments"):
            self.kubectl("rollout", "status", f"deployment/{one['metadata']['name']}", "--timeout", "300s")

    def uninstall(self) -> None:
        """Take it away: releases, namespaces, stores."""
        if self.release in self._helm_list():
            self.helm("uninstall")
        run(["kubectl", "delete", "namespace", self.namespace, self.runs, "--ignore-not-found", "--wait=false"])
        self.aws("dynamodb").delete_table(TableName=self.name)
        bucket = self.aws("s3")
        for page in bucket.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            for entry in page.get("Contents", ()):
                bucket.delete_object(Bucket=self.name, Key=entry["Key"])
        bucket.delete_bucket(Bucket=self.name)

    def _helm_list(self) -> list[str]:
        return run(["helm", "list", "--all", "--short", "--namespace", self.namespace]).split()

    def values_file(self, **values: Any) -> str:
        """The values of this installation, and more."""
        small = {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}}
        people = [
            {"name": person, "sha256": hashlib.sha256(self.tokens[person].encode()).hexdigest(), **grant}
            for person, grant in PEOPLE.items()
        ]
        usual: dict[str, Any] = {
            "images": {name: _parts(name) for name in ("service", "scoring", "trainer")},
            "stores": {"registry": self.registry_address, "datasets": self.datasets_address},
            "aws": {
                "region": REGION,
                "dynamodbEndpoint": os.environ["TEST_DYNAMODB_URL"],
                "s3Endpoint": os.environ["TEST_S3_URL"],
                "existingSecret": "aws",
            },
            "auth": {"tokens": people},
            "registry": {"service": {"type": "NodePort"}, "resources": small},
            "scoring": {"service": {"type": "NodePort"}, "resources": small},
            "controller": {"resources": small},
            "training": {
                "sources": [f"s3://{self.name}/lender"],
                "buildProfile": {"resources": {"cpu": 0.25, "memory": "512Mi"}},
            },
            "poller": {"enabled": True, "seconds": 2, "specs": {"create": False}},
        }
        file = self.folder / f"values-{uuid4().hex[:8]}.yaml"
        file.write_text(yaml.safe_dump(merged(usual, values)))
        return str(file)

    # Stores

    def aws(self, service: str) -> Any:
        """A client of a store, as an operator has it."""
        where = os.environ[{"dynamodb": "TEST_DYNAMODB_URL", "s3": "TEST_S3_URL"}[service]]
        session: Any = boto3.session.Session()
        return session.client(service, endpoint_url=where, region_name=REGION)

    def make_stores(self) -> None:
        """A bucket, and a table made by the project's own command."""
        self.aws("s3").create_bucket(Bucket=self.name)
        self.cli("registry", "create-table", self.name)

    def _credentials(self, namespace: str) -> str:
        data = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "aws", "namespace": namespace},
                "stringData": data,
            }
        )

    # The front door

    def url(self, part: str) -> str:
        """Where a part answers outside of the cluster."""
        service = json.loads(self.kubectl("get", "service", f"{self.release}-modelyard-{part}", "-o", "json"))
        return f"http://{NODE}:{service['spec']['ports'][0]['nodePort']}"

    @cached_property
    def registry_url(self) -> str:
        """The registry's address for people."""
        return self.url("registry")

    def headers(self, person: str) -> dict[str, str]:
        """What somebody's requests carry."""
        return {"Authorization": f"Bearer {self.tokens[person]}"}

    def cli(self, *words: str, person: str | None = None, cwd: Path | None = None, code: int = 0) -> str:
        """Run `modelyard` as somebody with a token, or as an operator at the stores themselves."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
        environment |= {"MODELYARD_HOME": str(self.folder / "state"), "AWS_REGION": REGION}
        if person is None:
            environment |= {
                "AWS_ENDPOINT_URL_DYNAMODB": os.environ["TEST_DYNAMODB_URL"],
                "AWS_ENDPOINT_URL_S3": os.environ["TEST_S3_URL"],
                "MODELYARD_REGISTRY": self.registry_address,
            }
        else:
            # A laptop: no credentials for the stores, only a token for the service.
            environment = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
            environment |= {
                "MODELYARD_REGISTRY": self.registry_url,
                "MODELYARD_LAUNCHER": "kubernetes",
                "MODELYARD_TOKEN": self.tokens[person],
            }
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.cli.main", *words],
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == code, f"modelyard {shlex.join(words)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


def merged(usual: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Values with others laid over them."""
    both = {**usual, **said}
    for name in usual.keys() & said.keys():
        if isinstance(usual[name], dict) and isinstance(said[name], dict):
            both[name] = merged(usual[name], said[name])
    return both


def installations(folder: Path, **values: Any) -> Iterator[Installation]:
    """An installation, until the tests with it are over."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    missing += [f"{tool} on the PATH" for tool in ("helm", "kubectl") if shutil.which(tool) is None]
    if missing:
        pytest.fail(f"these tests need {', '.join(missing)}; docs/operators-kubernetes.md says how they are run")
    installation = Installation(folder)
    try:
        installation.install(**values)
        yield installation
    finally:
        installation.uninstall()
