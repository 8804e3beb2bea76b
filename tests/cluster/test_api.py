"""Calls to an API server that is slow, busy, away, or whose answers are lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Unavailable
from modelyard.training.launchers.kubernetes.api import Cluster, in_namespace, load_client
from modelyard.training.launchers.kubernetes.launcher import KubernetesLauncher
from tests.cluster.proxy import HANG, LOSE, REFUSE, Proxy, proxying
from tests.cluster.world import World, spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def shared_proxy() -> Iterator[Proxy]:
    with proxying() as proxy:
        yield proxy


@pytest.fixture
def proxy(shared_proxy: Proxy) -> Proxy:
    shared_proxy.always(None)
    shared_proxy.asked.clear()
    return shared_proxy


@pytest.fixture
def behind(proxy: Proxy, tmp_path: Path) -> Cluster:
    """The API server behind the proxy."""
    return Cluster(load_client(proxy.kubeconfig(tmp_path)), timeout=2, deadline=10)


@pytest.fixture
def launcher(behind: Cluster, world: World) -> KubernetesLauncher:
    return KubernetesLauncher(behind, world.profile(), lambda run, tries: f"{run} {tries}")


def creations(proxy: Proxy) -> int:
    return sum(method == "POST" and path.endswith("/jobs") for method, path in proxy.asked)


@pytest.mark.parametrize(("fault", "sent"), [(LOSE, 1), (REFUSE, 2), ((500, {}), 2)])
def test_what_became_of_a_job_is_looked_up_before_it_is_made_again(
    launcher: KubernetesLauncher, proxy: Proxy, world: World, fault: str, sent: int
) -> None:
    job = spec("slow", tries=20 + sent if fault != REFUSE else 23)
    proxy.once(fault, "POST", "/jobs")
    launcher.submit(job)
    uid = world.uid("jobs", job.name)
    assert uid
    assert creations(proxy) == sent
    posted = proxy.asked.index(("POST", f"/apis/batch/v1/namespaces/{world.namespace}/jobs"))
    assert proxy.asked[posted + 1] == ("GET", in_namespace("jobs", world.namespace, job.name)), "read by name first"
    launcher.submit(job)
    assert world.uid("jobs", job.name) == uid
    launcher.cancel(job.name)


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(behind: Cluster, proxy: Proxy, world: World) -> None:
    proxy.once((429, {"Retry-After": "2"}), "GET", "/pods")
    begun = time.monotonic()
    behind.list(in_namespace("pods", world.namespace))
    assert 2 <= time.monotonic() - begun < 5
    assert len(proxy.asked) == 2


def test_a_list_whose_pages_are_gone_begins_anew(
    behind: Cluster, proxy: Proxy, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.training.launchers.kubernetes.api.PAGE", 1)
    for name in ("gone-1", "gone-2"):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"gone": "yes"}}}
        world.cluster.create(in_namespace("configmaps", world.namespace), body)
    proxy.once((410, {}), "GET", "continue=")
    found = behind.list(in_namespace("configmaps", world.namespace), labels="gone=yes")
    assert [one["metadata"]["name"] for one in found] == ["gone-1", "gone-2"]
    assert len([path for _, path in proxy.asked if "continue=" not in path]) == 2


@pytest.mark.parametrize("fault", [REFUSE, HANG, (503, {})])
def test_a_server_that_is_away_is_given_up_in_time(proxy: Proxy, tmp_path: Path, world: World, fault: str) -> None:
    away = Cluster(load_client(proxy.kubeconfig(tmp_path)), timeout=0.5, deadline=2)
    proxy.always(fault)
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        away.list(in_namespace("jobs", world.namespace))
    assert time.monotonic() - begun < 4
