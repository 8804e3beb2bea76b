"""`modelyard models`, `approve`, `promote`, `rollback`, `archive` and `lineage`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.cli.main import run
from modelyard.registry.home import RegistryHome
from modelyard.registry.transfer import register_version
from tests.registry.making import (
    apply,
    begin,
    claim_of,
    claim_of_run,
    definition,
    register,
    run_of,
    spec_of,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.mark.usefixtures("home")
def test_where_nothing_is_registered_it_says_so(said: Callable[..., Any], shown: Callable[..., str]) -> None:
    assert shown("models") == "Models: none\n"
    assert said("models") == []


def test_models_are_listed(registry: LocalRegistry, said: Callable[..., Any], shown: Callable[..., str]) -> None:
    registry.promote("ke", 3)
    text = shown("models")
    assert "roc_auc 0.7400 (0.7200 – 0.7600)" in text
    assert "3 from" in text
    gh, ke = said("models")
    assert (gh["name"], gh["live"], gh["latest"], gh["metric"]) == ("gh", None, None, None)
    assert (ke["name"], ke["team"], ke["live"], ke["latest"]) == ("ke", "credit-ke", 2, 3)
    assert [planned["version"] for planned in ke["planned"]] == [3]


def test_what_was_live_on_a_date_is_told(
    registry: LocalRegistry, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = registry.promotions("ke")
    assert said("models", "ke", "--at", first.live_from.isoformat())["summary"]["live"] == 1
    assert said("models", "ke", "--at", second.live_from.isoformat())["summary"]["live"] == 2
    before = first.live_from.date() - timedelta(days=2)
    assert said("models", "ke", "--at", before.isoformat())["summary"]["live"] is None
    assert said("models", "--at", "2100-01-01T00:00")[1]["live"] == 2
    assert run(("models", "--at", "yesterday")) == 64
    assert "write 2026-12-01" in capsys.readouterr().err


@pytest.mark.usefixtures("registry")
def test_one_model_is_shown_with_its_history(said: Callable[..., Any], shown: Callable[..., str]) -> None:
    text = shown("models", "ke")
    for expected in ("team credit-ke", "live: 2   latest: 3", "READY", "ROLLBACK", "model.rolled_back", "EAT"):
        assert expected in text
    details = said("models", "ke")
    assert [version["number"] for version in details["versions"]] == [3, 2, 1]
    assert [fact["version"] for fact in details["promotions"]] == [1, 2]
    assert details["history"][0]["type"] == "model.rolled_back"
    assert run(("models", "nobody")) == 1


def test_a_version_is_promoted(
    registry: LocalRegistry, said: Callable[..., Any], shown: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Version 3 of ke is live from" in shown("promote", "ke", "--reason", "better")
    assert registry.promotions("ke")[-1].reason == "better"
    fact = said("promote", "ke", "1", "--live-from", "2100-01-01")
    assert fact["live_from"] == "2099-12-31T21:00:00Z"
    assert run(("promote", "ke", "1", "--live-from", "2020-01-01")) == 65
    assert "is past" in capsys.readouterr().err
    assert run(("promote", "ke", "9")) == 1


@pytest.mark.usefixtures("registry")
def test_a_model_is_rolled_back(
    said: Callable[..., Any], shown: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Version 1 of ke is live from" in shown("rollback", "ke", "--reason", "drift")
    assert said("rollback", "ke", "--to", "3")["version"] == 3
    assert run(("rollback", "gh")) == 1
    assert "nothing was live" in capsys.readouterr().err


@pytest.mark.usefixtures("registry")
def test_versions_and_models_are_archived(
    said: Callable[..., Any], shown: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown("archive", "ke", "1") == "Version 1 of ke is ARCHIVED.\n"
    assert said("archive", "ke", "1")["state"] == "ARCHIVED"
    assert run(("archive", "ke", "2")) == 1
    assert "live, or planned" in capsys.readouterr().err
    assert shown("archive", "ke", "--reason", "retired") == "ke is archived: nothing of it is live.\n"
    assert said("archive", "ke")["archived_at"]
    assert "archived" in shown("models")


@pytest.mark.usefixtures("registry")
def test_lineage_goes_down_and_up(said: Callable[..., Any], shown: Callable[..., str]) -> None:
    text = shown("lineage", "ke")
    assert "ke version 2, made by run (none)" in text
    assert said("lineage", "ke")["pins"]["config"] == claim_of().pins.config
    text = shown("lineage", "history")
    assert "gh" in text
    assert "feature_set:history" in text
    (gh,) = said("lineage", "transactions.amount")
    assert (gh["name"], gh["via"]) == ("gh", ["source:transactions", "feature_set:history"])
    assert said("lineage", "transactions.colour") == []
    assert run(("lineage", "nobody")) == 1


def test_a_version_is_approved_and_shown_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = RegistryHome(home).registry("amina")
    document = {"approval": "required", "timezone": "Africa/Nairobi"}
    apply(registry, **document)
    begun = begin(registry, run_of(spec=spec_of(definition(**document))))
    register_version(registry, claim_of_run(begun), write_files(tmp_path / "made"))

    assert run(["promote", "ke"]) == 1
    assert "modelyard approve ke 1" in capsys.readouterr().err
    assert run(["approve", "ke"]) == 77
    assert "`amina` is among those who made version 1" in capsys.readouterr().err
    assert run(["models", "ke"]) == 0
    assert "waits for it" in capsys.readouterr().out

    monkeypatch.setenv("MODELYARD_ACTOR", "wanjiru")
    assert run(["approve", "ke", "1", "--reason", "memo 112"]) == 0
    said = capsys.readouterr().out
    assert "Version 1 of ke is approved by wanjiru since" in said
    assert "Version 1 of ke is live from" in said
    assert run(["models", "ke"]) == 0
    assert "by wanjiru, " in capsys.readouterr().out
    assert run(["approve", "ke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["promotion"]["version"] == 1


def test_what_is_left_to_do_is_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = RegistryHome(home).registry("amina")
    apply(registry, approval="required", promotion="manual")
    register(registry, tmp_path)
    monkeypatch.setenv("MODELYARD_ACTOR", "wanjiru")
    assert run(["approve", "ke"]) == 0
    assert "`modelyard promote ke 1` makes it live" in capsys.readouterr().out
    apply(registry, approval="required")
    register_version(registry, claim_of_run(begin(registry, run_of())), write_files(tmp_path / "made"))
    apply(registry, approval="required", seed=3)
    assert run(["approve", "ke"]) == 0
    assert "But it is not promoted: the model's definition has changed" in capsys.readouterr().out
