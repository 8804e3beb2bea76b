"""A registry in DynamoDB and S3, by its address: from end to end, by commands, and through outages of both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from modelyard.errors import Unavailable
from modelyard.registry.audit import verify
from modelyard.registry.http import HttpRegistry
from modelyard.registry.integrity import damages
from modelyard.registry.records import VersionState
from modelyard.registry.sweep import Sweep
from modelyard.registry.transfer import register_version
from modelyard.wiring import open_registry_at, registry_stores
from tests.buckets import new_bucket, use_s3
from tests.proxies.tcp import StoppableProxy
from tests.registries import serving
from tests.registry.making import apply, claim_of, register, run_of, write_files
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.registry.records import ModelVersion
    from modelyard.registry.registry import Registry

pytestmark = pytest.mark.server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


@pytest.fixture
def address(table: str, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    address = f"dynamodb+s3://{table}/{bucket}/lender/registry"
    monkeypatch.setenv("MODELYARD_REGISTRY", address)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return address


@pytest.fixture(params=["in process", "over HTTP"])
def registry(request: pytest.FixtureRequest, address: str) -> Iterator[Registry]:
    stores = registry_stores(address)
    if request.param == "in process":
        yield stores.registry("amina")
        return
    with serving(stores.registry("amina")) as service, closing(HttpRegistry(service.url)) as client:
        yield client


def test_from_a_model_to_what_is_live(registry: Registry, tmp_path: Path) -> None:
    apply(registry)
    version = register(registry, tmp_path)
    assert registry.latest("ke") == version
    fact = registry.promote("ke", version.number)
    assert registry.live("ke", fact.live_from) == version
    registry.download_artifact("ke", version.number, "model.json", tmp_path / "here.json")
    assert (tmp_path / "here.json").read_bytes() == (tmp_path / "made" / "model.json").read_bytes()
    assert b"".join(registry.read_artifact("ke", 1, "model.json", start=1, end=5)) == b'"wei'
    registry.queue_run(run_of())
    assert [run.id for run in registry.open_runs().items] == [run_of().id]


def test_commands_care_for_it(address: str, said: Callable[..., Any], tmp_path: Path) -> None:
    registry = open_registry_at(address, actor="amina")
    apply(registry)
    register(registry, tmp_path)
    registry.claim(claim_of("never completed"))
    assert [model["name"] for model in said("models")] == ["ke"]
    assert said("registry", "check") == []
    assert said("registry", "sweep") == {"removed": False, "removals": []}
    assert {report["breach"] for report in said("audit", "verify")} == {None}
    assert [event["type"] for event in said("audit", "list", "model:ke")] == ["model.created", "version.ready"]
    stores = registry_stores(address)
    later = registry.latest("ke").created_at + timedelta(days=2)
    with closing(stores):
        removed = Sweep(stores.metadata, stores.artifacts, now=later, actor="sweep", dry_run=False).run()
    assert [removal.kind for removal in removed] == ["claim"]
    assert [version.number for version in registry.versions("ke").items] == [1]


def test_a_service_of_its_own_serves_it(address: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "modelyard.cli.main", "serve", "registry", "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stderr
            said = process.stderr.readline()
            assert address in said
            url = said.split()[-1]
            assert httpx.get(f"{url}/ready", timeout=30).status_code == 200
            with closing(HttpRegistry(url)) as client:
                apply(client)
                assert register(client, tmp_path).state is VersionState.READY
        finally:
            process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM)


def test_an_outage_of_both_loses_and_shows_nothing(
    table: str, bucket: str, dynamodb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sixteen creators upload while both servers go away twice, for longer than it takes to notice."""
    proxies = StoppableProxy(dynamodb), StoppableProxy(address_of("TEST_S3_URL"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxies[0].url)
    use_s3(monkeypatch, proxies[1].url)
    address = f"dynamodb+s3://{table}/{bucket}"
    registry = open_registry_at(address, actor="amina")
    apply(registry)
    files = {"model.json": b'{"weights": [1]}', "card.md": b"# Card\n" * 10_000}
    made = write_files(tmp_path / "made", files)
    over = threading.Event()

    def create(creator: int) -> list[ModelVersion]:
        acknowledged = []
        for turn in range(1000):
            try:
                claim = claim_of(f"{creator} {turn}", files=files)
                acknowledged.append(register_version(registry, claim, made))
            except Unavailable:
                continue  # what became of it is looked at below
            if over.is_set():
                break
        return acknowledged

    with ThreadPoolExecutor(16) as pool:
        creators = [pool.submit(create, creator) for creator in range(16)]
        for order in (proxies, proxies[::-1]):
            time.sleep(1)
            for proxy in order:
                proxy.stop()
                time.sleep(0.5)
            for proxy in order:
                proxy.start()
        time.sleep(0.5)
        over.set()
        acknowledged = {version.number: version for one in creators for version in one.result()}
    listed = {version.number: version for version in registry.versions("ke", limit=1000).items}
    assert len(acknowledged) >= 16
    assert {number: listed[number] for number in acknowledged} == acknowledged
    assert {version.state for version in listed.values()} == {VersionState.READY}
    with closing(registry_stores(address)) as stores:
        assert list(damages(stores.metadata, stores.artifacts)) == []
        assert all(report.breach is None for report in verify(stores.metadata))
    for proxy in proxies:
        proxy.stop()
