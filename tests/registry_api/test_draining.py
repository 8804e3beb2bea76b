"""The service as a process that is told to end, as an upgrade tells it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path


def test_a_service_that_is_told_to_end_answers_on_and_sends_its_clients_elsewhere(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "modelyard.cli.main", "serve", "registry", "--port", "0", "--linger", "60"]
    with subprocess.Popen(
        words, cwd=tmp_path, env={"MODELYARD_HOME": str(tmp_path), "PATH": ""}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        with httpx.Client(base_url=found.group(), trust_env=False) as client:
            assert client.get("/ready").status_code == 200
            assert "connection" not in client.get("/v1/models").headers
            process.send_signal(signal.SIGTERM)
            while (answer := client.get("/ready")).status_code == 200:
                pass
            assert answer.status_code == 503
            answer = client.get("/v1/models")  # over a new connection: the last one was closed
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        process.send_signal(signal.SIGTERM)  # the second one does not wait for the sixty seconds
        # It ends as whoever is ended by the signal does.
        assert process.wait(30) in {0, -signal.SIGTERM}
