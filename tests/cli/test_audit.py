"""`modelyard audit list` and `verify`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.cli.main import run
from modelyard.registry.home import RegistryHome
from tests.registry.making import apply, definition, run_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _history(home: Path) -> None:
    registry = RegistryHome(home).registry("amina")
    for seed in range(3):
        apply(registry, seed=seed)
    registry.queue_run(run_of(spec=spec_of(definition(seed=2))))
    RegistryHome(home).registry("brian").archive_model("ke", reason="done")


def test_who_did_what_is_listed(said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    everything = said("audit", "list")
    assert [(event["type"], event["by"]) for event in everything] == [
        ("model.created", "amina"),
        ("model.revised", "amina"),
        ("model.revised", "amina"),
        ("run.queued", "amina"),
        ("model.archived", "brian"),
        ("run.cancelled", "brian"),
    ]
    assert said("audit", "list", "--limit", "2") == everything[-2:]
    of_model = [event for event in everything if event["subject"] == "model:ke"]
    assert said("audit", "list", "model:ke") == of_model
    assert said("audit", "list", "model:ke", "--limit", "1") == of_model[-1:]
    assert run(["audit", "list"]) == 0
    shown = capsys.readouterr().out
    assert "brian" in shown
    assert "reason done" in shown


def test_a_whole_log_is_said_to_be_whole(said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    (report,) = said("audit", "verify")
    assert (report["events"], report["breach"]) == (6, None)
    assert run(["audit", "verify"]) == 0
    assert capsys.readouterr().out == "6 events: all as recorded.\n"


def test_a_changed_event_is_named(home: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(home / "registry.db")) as connection, connection:
        connection.execute("UPDATE link SET body = replace(body, 'amina', 'aming') WHERE position = 3")
    assert run(["audit", "verify"]) == 65
    error = capsys.readouterr().err
    assert "chain events, event 3 (model:ke, " in error
    assert "not what was recorded" in error
    (report,) = said("audit", "verify", code=65)
    assert report["breach"]["position"] == 3


def test_what_was_said_before_is_true_still(
    home: Path, tmp_path: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps(said("audit", "verify")))
    assert run(["audit", "verify", "--before", str(before)]) == 0
    with closing(sqlite3.connect(home / "registry.db")) as connection, connection:
        connection.execute("DELETE FROM link WHERE position = 6")
        connection.execute("UPDATE chain SET position = 5, hash = (SELECT hash FROM link WHERE position = 5)")
    assert run(["audit", "verify"]) == 0
    assert run(["audit", "verify", "--before", str(before)]) == 65
    assert "event 6: the events from here to 6 were there before, and are missing" in capsys.readouterr().err
    before.write_text('{"chain": 1}')
    assert run(["audit", "verify", "--before", str(before)]) == 64


def test_only_what_is_there_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "nowhere"))
    assert run(["audit", "verify"]) == 64
    monkeypatch.setenv("MODELYARD_REGISTRY", "http://127.0.0.1:1")
    assert run(["audit", "verify"]) == 64
    assert "is a service" in capsys.readouterr().err
