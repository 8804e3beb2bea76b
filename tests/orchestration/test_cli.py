"""`modelyard poll`, `dags` and `hand-over` as a person runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.cli.main import run
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import Unavailable
from modelyard.orchestration.specs import spec_path, write_spec
from modelyard.registry.http import HttpRegistry
from tests.orchestration.yard import add_live, add_version, apply, plan
from tests.registries import Clock, open_registry

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry

NOW = datetime.now(UTC)


@pytest.fixture
def now() -> Clock:
    return Clock(NOW)


@pytest.fixture
def yard(tmp_path: Path, now: Clock, monkeypatch: pytest.MonkeyPatch) -> LocalRegistry:
    """The registry that commands find."""
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return open_registry(tmp_path / "home", now)


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    return tmp_path / "home" / "specs"


def test_poll_says_what_it_did(yard: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    add_live(yard, apply(yard, "ke_loan_default"))
    assert run(["poll"]) == 0
    assert capsys.readouterr().out.splitlines() == ["written  ke_loan_default", "1 written, 0 removed, 0 unchanged"]
    yard.archive_model("ke_loan_default")
    assert run(["poll"]) == 0
    assert capsys.readouterr().out.splitlines() == ["removed  ke_loan_default", "0 written, 1 removed, 0 unchanged"]
    assert run(["poll", "--full", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["full"], result["written"], result["removed"], result["unchanged"]) == (True, [], [], 1)


def test_poll_writes_where_it_is_told(yard: LocalRegistry, tmp_path: Path) -> None:
    add_live(yard, apply(yard, "ke_loan_default"))
    assert run(["poll", "--folder", str(tmp_path / "elsewhere")]) == 0
    assert spec_path(tmp_path / "elsewhere", "ke_loan_default").exists()


def test_poll_of_a_registry_that_is_down_leaves_the_specs_and_can_be_tried_again(
    yard: LocalRegistry, specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_live(yard, apply(yard, "ke_loan_default"))
    run(["poll"])
    before = spec_path(specs, "ke_loan_default").read_bytes()
    monkeypatch.setenv("MODELYARD_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setattr(HttpRegistry, "__init__", partialmethod(HttpRegistry.__init__, deadline=0.1))
    assert run(["poll"]) == 75
    assert "error: " in capsys.readouterr().err
    assert spec_path(specs, "ke_loan_default").read_bytes() == before
    assert run(["dags"]) == 0


def test_dags_lists_what_is_live_now_and_next(
    yard: LocalRegistry, now: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    model = apply(yard, "ke_loan_default")
    now.now = NOW - timedelta(days=3)
    add_live(yard, model)
    now.now = NOW
    add_live(yard, model)
    apply(yard, "gh_loan_default", scoring=None)
    run(["poll"])
    capsys.readouterr()
    assert run(["dags", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    (dag,) = listing["dags"]
    assert (dag["dag"], dag["schedule"], dag["live"], dag["next"]) == ("modelyard_score_" + model, "0 4 * * *", 1, 2)
    assert datetime.fromisoformat(dag["start"]) < NOW < datetime.fromisoformat(dag["next_from"])
    assert listing["without"] == {"gh_loan_default": "has no `scoring`"}
    assert run(["dags"]) == 0
    printed = capsys.readouterr()
    midnight = datetime.fromisoformat(dag["next_from"]) + timedelta(hours=3)
    assert f"2 from {midnight:%Y-%m-%d} 00:00" in printed.out
    assert "has no `scoring`" in printed.out
    assert "As of 20" in printed.err


def test_dags_says_why_a_spec_does_not_load(
    yard: LocalRegistry, specs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("gh_loan_default", "ke_loan_default"):
        add_live(yard, apply(yard, model))
    run(["poll"])
    damaged = spec_path(specs, "ke_loan_default")
    damaged.write_bytes(b"{")
    capsys.readouterr()
    assert run(["dags"]) == 65
    printed = capsys.readouterr()
    assert "modelyard_score_gh_loan_default" in printed.out
    assert "modelyard_score_ke_loan_default" not in printed.out
    assert f"error: {damaged}: it can't be read as a spec" in printed.err
    assert "hint: run `modelyard poll --full`" in printed.err
    assert run(["dags", "--json"]) == 65
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert str(damaged) in problem["reason"]
    assert run(["poll", "--full"]) == 0
    assert run(["dags"]) == 0


def test_dags_reads_a_folder_that_no_poll_state_lies_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spec(tmp_path, plan())
    assert run(["dags", "--folder", str(tmp_path)]) == 0
    assert "As of" not in capsys.readouterr().err


@pytest.mark.usefixtures("yard")
def test_dags_before_the_first_poll_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dags"]) == 1
    assert "run `modelyard poll`" in capsys.readouterr().err


def test_hand_over_says_what_became_of_the_predecessors(
    yard: LocalRegistry, now: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = apply(yard, "ke_loan_default")
    now.now = NOW - timedelta(days=4)
    add_live(yard, model)
    now.pass_(days=1)
    add_live(yard, model)
    add_version(yard, model)
    now.now = NOW
    command = ["hand-over", model, "--version", "2"]
    assert run(command) == 0
    assert "no hand-over yet: version 2 has published no partition" in capsys.readouterr().out
    with FilesystemDatasets(tmp_path / "home" / "datasets").stage(f"predictions/{model}/2") as staging:
        pq.write_table(pa.table({"size": [1.0]}), staging.path / "rows.parquet")
        staging.publish(f"{NOW:%Y-%m-%d}")
    assert run(command) == 0
    assert capsys.readouterr().out == "ke_loan_default: archived version 1: version 2 took over\n"
    assert run(command) == 0
    assert capsys.readouterr().out == "ke_loan_default: no version before 2 is left to archive\n"
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"archived": [], "waiting": ""}


@pytest.mark.usefixtures("yard")
def test_watch_outlives_a_registry_that_is_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds: list[BaseException] = [Unavailable("the registry does not answer"), KeyboardInterrupt()]

    def fail(*_: object, **__: object) -> None:
        raise rounds.pop(0)

    monkeypatch.setattr("modelyard.orchestration.poll.poll", fail)
    assert run(["poll", "--watch", "1"]) == 130
    assert "The specs stay as they are: the registry does not answer" in capsys.readouterr().err
    assert rounds == []


def test_watch_goes_on_until_it_is_interrupted(yard: LocalRegistry) -> None:
    # A shell that starts the tests in the background has SIGINT ignored by all that they start.
    script = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from modelyard.cli.main import run\n"
        "sys.exit(run(['poll', '--watch', '1']))\n"
    )
    words = [sys.executable, "-c", script]
    add_live(yard, apply(yard, "gh_loan_default"))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        try:
            assert watcher.stdout.readline() == "written  gh_loan_default\n"
            add_live(yard, apply(yard, "ke_loan_default"))
            assert watcher.stdout.readline() == "1 written, 0 removed, 0 unchanged\n"
            assert watcher.stdout.readline() == "written  ke_loan_default\n"
        finally:
            watcher.send_signal(signal.SIGINT)
            _, errors = watcher.communicate(timeout=20)
    assert watcher.returncode == 130
    assert "Traceback" not in errors
