"""`modelyard registry` and `serve registry`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.cli.main import run
from modelyard.datasets.filesystem import FilesystemDatasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


def test_a_registry_is_backed_up_and_restored(
    registry: LocalRegistry,
    tmp_path: Path,
    said: Callable[..., Any],
    shown: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Backed up to backup.zip: 3 files" in shown("registry", "backup", "backup.zip")
    assert run(("registry", "restore", "backup.zip")) == 1
    assert "holds registry.db" in capsys.readouterr().err
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "other"))
    assert said("registry", "restore", "backup.zip")["files"] == 3
    assert said("models")[1]["live"] == registry.live("ke", registry.promotions("ke")[-1].live_from).number  # type: ignore[union-attr]  # one is live
    assert shown("registry", "check") == "Everything is as recorded.\n"


def test_damage_is_found(registry: LocalRegistry, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = home / "artifacts" / registry.latest("ke").location / "model.json"
    stored.unlink()
    assert run(("registry", "check")) == 65
    assert "version 3 of `ke`: `model.json` is missing" in capsys.readouterr().err


def test_a_sweep_says_first_what_it_would_do(
    registry: LocalRegistry,
    home: Path,
    said: Callable[..., Any],
    shown: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown("registry", "sweep") == "Would be removed: none\n"
    stray = home / "artifacts" / "runs" / "lost" / "log"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"lost")
    os.utime(stray, (0, 0))
    assert run(("registry", "sweep")) == 0
    printed = capsys.readouterr()
    assert "runs/lost/log" in printed.out
    assert "add --yes" in printed.err
    assert stray.exists()
    assert said("registry", "sweep", "--yes") == {
        "removed": True,
        "removals": [{"kind": "file", "name": "runs/lost/log", "size": 4}],
    }
    assert not stray.exists()
    assert registry.latest("ke").number == 3


@pytest.mark.usefixtures("registry")
def test_a_sweep_reaches_the_datasets(home: Path, said: Callable[..., Any]) -> None:
    datasets = FilesystemDatasets(home / "datasets")
    for day in (1, 2):
        with datasets.stage("features/history/1") as staging:
            pq.write_table(pa.table({"day": [day]}), staging.path / "rows.parquet")
            staging.publish("2026-01-01")
    assert said("registry", "sweep")["removals"] == []
    replaced, manifest = sorted((home / "datasets").rglob("*.json"))
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "published_at": "2026-01-01T00:00:00Z"}))
    removals = said("registry", "sweep", "--yes")["removals"]
    assert {removal["kind"] for removal in removals} == {"dataset"}
    assert replaced.relative_to(home / "datasets").as_posix() in {removal["name"] for removal in removals}
    newest = datasets.manifest("features/history/1", "2026-01-01")
    assert newest is not None
    datasets.verify(newest)


@pytest.mark.parametrize("command", [["check"], ["sweep"], ["backup", "copy"]])
def test_care_makes_no_registry(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "mistyped"))
    monkeypatch.chdir(tmp_path)
    assert run(["registry", *command]) == 64
    assert "there is no registry in" in capsys.readouterr().err
    assert not (tmp_path / "mistyped").exists()


SERVICE = ("http://127.0.0.1:9", "is a service")
TABLE = ("dynamodb+s3://table/bucket", "`modelyard registry export` writes all of it")


@pytest.mark.parametrize(
    ("address", "told", "command"),
    [
        (*SERVICE, "registry sweep"),
        (*SERVICE, "registry backup x"),
        (*SERVICE, "registry check"),
        (*SERVICE, "serve registry"),
        (*TABLE, "registry backup x"),
        (*TABLE, "registry restore x"),
    ],
)
def test_care_needs_the_files_at_hand(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
    told: str,
    command: str,
) -> None:
    monkeypatch.setenv("MODELYARD_REGISTRY", address)
    assert run(command.split()) == 64
    assert told in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3"])  # noqa: S104 - refused
def test_the_registry_is_not_served_to_others(home: Path, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("serve", "registry", "--host", host)) == 64
    assert "without authentication" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.usefixtures("registry")
def test_the_registry_is_served(home: Path) -> None:
    environment = {**os.environ, "MODELYARD_HOME": str(home)}
    command = [sys.executable, "-m", "modelyard.cli.main", "serve", "registry", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        said = process.stderr.readline()
        url = said.split()[-1]
        assert str(home) in said
        assert httpx.get(f"{url}/v1/models/ke/latest", trust_env=False).json()["number"] == 3
        taken = subprocess.run(
            [*command[:-1], url.rpartition(":")[2]], capture_output=True, text=True, env=environment, check=False
        )
        assert (taken.returncode, "name another port" in taken.stderr) == (64, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
