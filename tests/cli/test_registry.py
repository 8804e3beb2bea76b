"""`modelyard models`, `promote`, `rollback`, `archive`, `lineage`, `registry` and `serve registry`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.cli.main import run
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.registry.home import RegistryHome
from tests.registry.making import apply, claim_of, feature_set, register

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELYARD_ACTOR", "amina")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path, tmp_path: Path) -> LocalRegistry:
    """ke with three versions, of which the second is live; gh with none."""
    registry = RegistryHome(home).registry("amina")
    registry.register_feature_set(feature_set(), project="lender", lineage={"history_total": ("transactions.amount",)})
    apply(registry, "gh", feature_sets={"history": feature_set()})
    apply(registry, timezone="Africa/Nairobi")
    for number in (1, 2, 3):
        register(registry, tmp_path, f"key {number}", sets=0)
    registry.rollback("ke", to=1)
    registry.rollback("ke", to=2)
    return registry


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(arguments) == code, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(output(capsys, *arguments, "--json"))


@pytest.mark.usefixtures("home")
def test_where_nothing_is_registered_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "models") == "Models: none\n"
    assert as_json(capsys, "models") == []


def test_models_are_listed(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.promote("ke", 3)
    text = output(capsys, "models")
    assert "roc_auc 0.7400 (0.7200 – 0.7600)" in text
    assert "3 from" in text
    gh, ke = as_json(capsys, "models")
    assert (gh["name"], gh["live"], gh["latest"], gh["metric"]) == ("gh", None, None, None)
    assert (ke["name"], ke["team"], ke["live"], ke["latest"]) == ("ke", "credit-ke", 2, 3)
    assert [planned["version"] for planned in ke["planned"]] == [3]


def test_what_was_live_on_a_date_is_told(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = registry.promotions("ke")
    assert as_json(capsys, "models", "ke", "--at", first.live_from.isoformat())["summary"]["live"] == 1
    assert as_json(capsys, "models", "ke", "--at", second.live_from.isoformat())["summary"]["live"] == 2
    before = first.live_from.date() - timedelta(days=2)
    assert as_json(capsys, "models", "ke", "--at", before.isoformat())["summary"]["live"] is None
    assert as_json(capsys, "models", "--at", "2100-01-01T00:00")[1]["live"] == 2
    assert run(("models", "--at", "yesterday")) == 64
    assert "write 2026-12-01" in capsys.readouterr().err


@pytest.mark.usefixtures("registry")
def test_one_model_is_shown_with_its_history(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "models", "ke")
    for expected in ("team credit-ke", "live: 2   latest: 3", "READY", "ROLLBACK", "model.rolled_back", "EAT"):
        assert expected in text
    shown = as_json(capsys, "models", "ke")
    assert [version["number"] for version in shown["versions"]] == [3, 2, 1]
    assert [fact["version"] for fact in shown["promotions"]] == [1, 2]
    assert shown["history"][0]["type"] == "model.rolled_back"
    assert run(("models", "nobody")) == 1


def test_a_version_is_promoted(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Version 3 of ke is live from" in output(capsys, "promote", "ke", "--reason", "better")
    assert registry.promotions("ke")[-1].reason == "better"
    fact = as_json(capsys, "promote", "ke", "1", "--live-from", "2100-01-01")
    assert fact["live_from"] == "2099-12-31T21:00:00Z"
    assert run(("promote", "ke", "1", "--live-from", "2020-01-01")) == 65
    assert "is past" in capsys.readouterr().err
    assert run(("promote", "ke", "9")) == 1


@pytest.mark.usefixtures("registry")
def test_a_model_is_rolled_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Version 1 of ke is live from" in output(capsys, "rollback", "ke", "--reason", "drift")
    assert as_json(capsys, "rollback", "ke", "--to", "3")["version"] == 3
    assert run(("rollback", "gh")) == 1
    assert "nothing was live" in capsys.readouterr().err


@pytest.mark.usefixtures("registry")
def test_versions_and_models_are_archived(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "archive", "ke", "1") == "Version 1 of ke is ARCHIVED.\n"
    assert as_json(capsys, "archive", "ke", "1")["state"] == "ARCHIVED"
    assert run(("archive", "ke", "2")) == 1
    assert "live, or planned" in capsys.readouterr().err
    assert output(capsys, "archive", "ke", "--reason", "retired") == "ke is archived: nothing of it is live.\n"
    assert as_json(capsys, "archive", "ke")["archived_at"]
    assert "archived" in output(capsys, "models")


@pytest.mark.usefixtures("registry")
def test_lineage_goes_down_and_up(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "lineage", "ke")
    assert "ke version 2, made by run (none)" in text
    assert as_json(capsys, "lineage", "ke")["pins"]["config"] == claim_of().pins.config
    text = output(capsys, "lineage", "history")
    assert "gh" in text
    assert "feature_set:history" in text
    (gh,) = as_json(capsys, "lineage", "transactions.amount")
    assert (gh["name"], gh["via"]) == ("gh", ["source:transactions", "feature_set:history"])
    assert as_json(capsys, "lineage", "transactions.colour") == []
    assert run(("lineage", "nobody")) == 1


def test_a_registry_is_backed_up_and_restored(
    registry: LocalRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Backed up to backup.zip: 3 files" in output(capsys, "registry", "backup", "backup.zip")
    assert run(("registry", "restore", "backup.zip")) == 1
    assert "holds registry.db" in capsys.readouterr().err
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "other"))
    assert as_json(capsys, "registry", "restore", "backup.zip")["files"] == 3
    assert as_json(capsys, "models")[1]["live"] == registry.live("ke", registry.promotions("ke")[-1].live_from).number  # type: ignore[union-attr]  # one is live
    assert output(capsys, "registry", "check") == "Everything is as recorded.\n"


def test_damage_is_found(registry: LocalRegistry, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = home / "artifacts" / registry.latest("ke").location / "model.json"
    stored.unlink()
    assert run(("registry", "check")) == 65
    assert "version 3 of `ke`: `model.json` is missing" in capsys.readouterr().err


def test_a_sweep_says_first_what_it_would_do(
    registry: LocalRegistry, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert output(capsys, "registry", "sweep") == "Would be removed: none\n"
    stray = home / "artifacts" / "runs" / "lost" / "log"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"lost")
    os.utime(stray, (0, 0))
    assert run(("registry", "sweep")) == 0
    said = capsys.readouterr()
    assert "runs/lost/log" in said.out
    assert "add --yes" in said.err
    assert stray.exists()
    assert as_json(capsys, "registry", "sweep", "--yes") == {
        "removed": True,
        "removals": [{"kind": "file", "name": "runs/lost/log", "size": 4}],
    }
    assert not stray.exists()
    assert registry.latest("ke").number == 3


@pytest.mark.usefixtures("registry")
def test_a_sweep_reaches_the_datasets(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    datasets = FilesystemDatasets(home / "datasets")
    for day in (1, 2):
        with datasets.stage("features/history/1") as staging:
            pq.write_table(pa.table({"day": [day]}), staging.path / "rows.parquet")
            staging.publish("2026-01-01")
    assert as_json(capsys, "registry", "sweep")["removals"] == []
    replaced, manifest = sorted((home / "datasets").rglob("*.json"))
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "published_at": "2026-01-01T00:00:00Z"}))
    removals = as_json(capsys, "registry", "sweep", "--yes")["removals"]
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
