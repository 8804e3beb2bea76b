"""The service as a process: it tells where it is, outlives the registry, and answers what it took before it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.registries import Clock, open_registry
from tests.scoring.trained import FOREST, loans, train
from tests.scoring.versions import apply
from tests.training import yard
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCORE = "/v1/models/loans/score"
ROWS = yard.table(rows=20).select(list(yard.KINDS)).to_pylist()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a project with a live model."""
    folder = tmp_path_factory.mktemp("home")
    yesterday = Clock(datetime.now(UTC) - timedelta(days=1))
    registry = open_registry(folder, yesterday)
    content = loans(last={**FOREST, "with": {"n_estimators": 50}})
    number = train(registry, folder / "runs", content) if apply(registry, content) else 0
    registry.promote("loans", number, live_from=yesterday())
    return folder


@contextmanager
def service(name: str, home: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service as a process, and its address."""
    words = [str(Path(sys.executable).with_name("modelyard")), "serve", name, "--port", "0"]
    variables = {**os.environ, "MODELYARD_HOME": str(home), **environment}
    with subprocess.Popen(words, cwd=home, env=variables, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            told = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+$", told.strip())
            assert address, told + process.stderr.read()
            # What it logs is read on, or it would wait for a reader.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield process, address[0]
        finally:
            process.kill()


def wait_until_ready(client: httpx.Client) -> None:
    until(lambda: client.get("/ready").status_code == httpx.codes.OK, every=0.05)


def test_requests_that_were_taken_are_answered_before_the_end(home: Path) -> None:
    with service("scoring", home) as (process, address), httpx.Client(base_url=address, timeout=60) as client:
        wait_until_ready(client)
        answers: list[httpx.Response] = []
        large = {"features": ROWS * 4000}
        asking = threading.Thread(target=lambda: answers.append(client.post(SCORE, json=large)))
        asking.start()
        with httpx.Client(base_url=address) as other:
            while "modelyard_scoring_busy 1.0" not in other.get("/metrics").text:
                assert asking.is_alive()
        process.send_signal(signal.SIGTERM)
        asking.join()
        process.wait(timeout=30)
        assert answers[0].status_code == httpx.codes.OK
        assert len(answers[0].json()["predictions"]) == 80_000
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/health")


@pytest.mark.timeout(240)
def test_the_service_outlives_its_registry(home: Path) -> None:
    with (
        service("registry", home) as (registry, registry_address),
        service("scoring", home, MODELYARD_REGISTRY=registry_address) as (_, address),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        wait_until_ready(client)
        before = client.post(SCORE, json={"features": ROWS}).json()
        registry.kill()
        registry.wait()

        def away() -> bool:
            assert client.post(SCORE, json={"features": ROWS}).json() == before
            return bool(client.get("/ready").json()["registry"])

        until(away, every=0.1, what="the word that the registry is away")
        assert client.get("/ready").status_code == httpx.codes.OK
        assert client.post(SCORE, json={"features": ROWS}).json() == before
        assert "modelyard_scoring_registry_up 0.0" in client.get("/metrics").text


def test_other_machines_are_not_listened_to(home: Path) -> None:
    words = [str(Path(sys.executable).with_name("modelyard")), "serve", "scoring", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 - it must be refused
    variables = {**os.environ, "MODELYARD_HOME": str(home)}
    refused = subprocess.run(words, cwd=home, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 64
    assert "without authentication, everybody who reaches it may score" in refused.stderr
