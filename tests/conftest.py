"""What every test can rely on: settings of the machine do not reach it, and Hypothesis repeats itself in CI."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A slow machine is no bug, so examples have no deadline; pytest-timeout catches what hangs. In CI the examples are the
# same each time: a change must not fail for what another one brought in.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("MODELYARD_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What coroutines of tests run on: what the services run on."""
    return "asyncio"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command and read its JSON."""
    from modelyard.cli.main import run

    def say(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*words, "--json"]) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return say


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets; a test that asks for it is marked `data`."""
    folder = os.environ.get("MODELYARD_DATA")
    if folder is None:
        pytest.fail("MODELYARD_DATA names no folder; run: make test-data MODELYARD_DATA=/path/to/data")
    return Path(folder)
