"""What operators see of a controller over HTTP."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest

from modelyard.errors import UsageError
from modelyard.training.controller.monitor import DEAD, Monitor, answering

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
def client(monitor: Monitor) -> Iterator[httpx.Client]:
    with answering(monitor, "127.0.0.1", 0) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


def test_it_lives_at_once_and_is_ready_when_it_knows_who_leads(monitor: Monitor, client: httpx.Client) -> None:
    assert (client.get("/health").status_code, client.get("/ready").status_code) == (200, 503)
    monitor.leads(leads=False, epoch=0)
    assert client.get("/ready?verbose").status_code == 200
    assert client.get("/else").status_code == 404


def test_a_loop_that_stands_still_is_dead(
    monitor: Monitor, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor.leads(leads=True, epoch=1)
    later = time.monotonic() + DEAD + 1
    monkeypatch.setattr("modelyard.training.controller.monitor.time", SimpleNamespace(monotonic=lambda: later))
    assert (client.get("/health").status_code, client.get("/ready").status_code) == (503, 503)
    monitor.alive()
    assert client.get("/health").status_code == 200


def test_figures(monitor: Monitor, client: httpx.Client) -> None:
    monitor.leads(leads=True, epoch=3)
    monitor.counted({"QUEUED": 7})
    monitor.stepped(0.2)
    monitor.failed("reconcile")
    told = client.get("/metrics").text
    for line in (
        "modelyard_controller_leader 1.0",
        "modelyard_controller_epoch 3.0",
        'modelyard_controller_runs{state="QUEUED"} 7.0',
        'modelyard_controller_runs{state="TRAINING"} 0.0',
        'modelyard_controller_errors_total{what="reconcile"} 1.0',
        "modelyard_controller_step_seconds_count 1.0",
    ):
        assert line in told
    monitor.leads(leads=False, epoch=3)
    assert "modelyard_controller_runs{" not in client.get("/metrics").text, "who does not lead has nothing to count"


def test_an_address_that_is_taken_is_told(monitor: Monitor, client: httpx.Client) -> None:
    port = client.base_url.port or 0
    with pytest.raises(UsageError, match=str(port)), answering(monitor, "127.0.0.1", port):
        pass
