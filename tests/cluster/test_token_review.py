"""Tokens of service accounts, as a real API server knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import yaml

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.errors import Unauthenticated, Unavailable
from modelyard.training.launchers.kubernetes.api import Cluster, in_namespace, load_client
from tests.cluster.tools import until
from tests.cluster.world import drop_namespace, kubeconfig, make_namespace
from tests.principals import granted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@dataclass
class Accounts:
    """Service accounts in a namespace of their own."""

    cluster: Cluster
    namespace: str

    def make(self, name: str) -> None:
        self.cluster.create(in_namespace("serviceaccounts", self.namespace), {"metadata": {"name": name}})

    def token(self, name: str, audience: str = "modelyard") -> str:
        """A token as the kubelet projects it into a pod; for the API server itself, where no audience is said."""
        path = f"{in_namespace('serviceaccounts', self.namespace, name)}/token"
        spec = {"expirationSeconds": 600, **({"audiences": [audience]} if audience else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": spec}
        token: str = self.cluster.create(path, body, readable=False)["status"]["token"]
        return token


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    """A service that may ask whose tokens are, and accounts that call it."""
    cluster = Cluster(load_client(kubeconfig()))
    namespace = make_namespace(cluster, "modelyard-auth")
    binding = f"modelyard-auth-{uuid4().hex[:8]}"
    made = Accounts(cluster, namespace)
    try:
        for name in ("service", "controller", "gone", "stranger"):
            made.make(name)
        subject = {"kind": "ServiceAccount", "name": "service", "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
        cluster.create(BINDINGS, {"metadata": {"name": binding}, "subjects": [subject], "roleRef": role})
        yield made
    finally:
        found = cluster.read(f"{BINDINGS}/{binding}")
        if found is not None:
            cluster.delete(f"{BINDINGS}/{binding}", uid=found["metadata"]["uid"])
        drop_namespace(cluster, namespace)


@pytest.fixture
def folder(accounts: Accounts, tmp_path: Path) -> Path:
    """What a pod of the service finds in its file system."""
    import base64

    (cluster,) = yaml.safe_load(kubeconfig().read_text())["clusters"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(cluster["cluster"]["certificate-authority-data"]))
    (tmp_path / "api").write_text(cluster["cluster"]["server"])
    (tmp_path / "token").write_text(accounts.token("service", ""))
    return tmp_path


def authenticator(folder: Path, namespace: str) -> Authenticator:
    subjects = [
        {"subject": f"{namespace}/controller", "roles": ["operator"]},
        {"subject": f"{namespace[:-4]}*/g*", "roles": ["viewer"]},
    ]
    said = {
        "audiences": ["modelyard"],
        "subjects": subjects,
        "api": (folder / "api").read_text(),
        "ca_file": str(folder / "ca.crt"),
        "token_file": str(folder / "token"),
    }
    file = folder / "auth.yaml"
    file.write_text(yaml.safe_dump({"kubernetes": said}))
    return Authenticator(file)


def test_the_cluster_says_whose_a_token_is(accounts: Accounts, folder: Path) -> None:
    asked = authenticator(folder, accounts.namespace)
    prefix = f"system:serviceaccount:{accounts.namespace}"
    shown = accounts.token("controller")
    assert granted(asked.authenticate(shown)) == (f"{prefix}:controller", ["operator"], [])
    assert asked.quick(shown) is not None  # for a while it is not asked again
    assert granted(asked.authenticate(accounts.token("gone"))) == (f"{prefix}:gone", ["viewer"], [])
    assert granted(asked.authenticate(accounts.token("stranger"))) == (f"{prefix}:stranger", [], [])


def test_a_token_for_another_service_or_a_changed_one_is_refused(accounts: Accounts, folder: Path) -> None:
    asked = authenticator(folder, accounts.namespace)
    with pytest.raises(Unauthenticated, match="not known here"):
        asked.authenticate(accounts.token("controller", "vault"))
    shown = accounts.token("controller")
    with pytest.raises(Unauthenticated, match="the cluster does not know the token"):
        asked.authenticate(shown[:-5] + ("AAAAA" if not shown.endswith("AAAAA") else "BBBBB"))


def test_an_account_that_is_gone_is_nobody(accounts: Accounts, folder: Path) -> None:
    shown = accounts.token("gone")
    path = in_namespace("serviceaccounts", accounts.namespace, "gone")
    found = accounts.cluster.read(path)
    assert found is not None
    accounts.cluster.delete(path, uid=found["metadata"]["uid"])

    def refused() -> bool:
        try:
            authenticator(folder, accounts.namespace).authenticate(shown)
        except Unauthenticated:
            return True
        return False

    until(refused, what="the API server's own caches to forget it")


def test_a_service_that_may_not_ask_is_told_what_it_lacks(accounts: Accounts, folder: Path) -> None:
    asked = authenticator(folder, accounts.namespace)
    (folder / "token").write_text(accounts.token("stranger", ""))
    with pytest.raises(Unavailable, match="does not let this service ask") as caught:
        asked.authenticate(accounts.token("controller"))
    assert "system:auth-delegator" in caught.value.hint
    (folder / "token").write_text(accounts.token("service", "another audience"))
    with pytest.raises(Unavailable, match="does not know this service"):
        asked.authenticate(accounts.token("controller"))
