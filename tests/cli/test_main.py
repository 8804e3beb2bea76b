"""The front door: what becomes of errors, wrong words and closed pipes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelyard.cli.main import build_app, run
from modelyard.errors import InvalidData, MissingExtra, ModelyardError, Unavailable, UsageError


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def command(**_: object) -> None:
        raise error

    monkeypatch.setattr("modelyard.cli.main.build_app", lambda: command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelyardError("it broke"), 1),
        (UsageError("no such thing"), 64),
        (MissingExtra("serving", "the service"), 64),
        (InvalidData("bad config"), 65),
        (Unavailable("the registry is away"), 75),
    ],
)
def test_an_error_becomes_a_message_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: ModelyardError, code: int
) -> None:
    fail_with(monkeypatch, error)

    assert run([]) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_an_unexpected_exception_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError("a bug"))

    with pytest.raises(ZeroDivisionError):
        run([])


def test_wrong_words_are_answered_with_64_and_a_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dctor"]) == 64
    assert "doctor" in capsys.readouterr().err


def test_a_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate"]) == 64
    assert capsys.readouterr().err.startswith("Usage: modelyard simulate")


def test_every_command_takes_json_and_says_what_it_does() -> None:
    app = build_app()
    groups, commands = [app], []
    while groups:
        group = groups.pop()
        commands += [info for info in group.registered_commands if info.callback]
        groups += [info.typer_instance for info in group.registered_groups if info.typer_instance]
    without_json = {
        info.callback.__name__ for info in commands if info.callback and "as_json" not in info.callback.__annotations__
    }

    assert without_json <= {"version", "registry", "scoring", "controller", "schema"}
    assert all(info.callback and info.callback.__doc__ for info in commands)


def test_a_closed_pipe_is_no_error_to_talk_about() -> None:
    program = f"{sys.executable} -m modelyard.cli.main --help | true"
    result = subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, check=False)

    assert "Traceback" not in result.stderr


def test_help_loads_nothing_heavy() -> None:
    heavy = [
        "duckdb",
        "lightgbm",
        "numpy",
        "pandas",
        "pyarrow",
        "pydantic",
        "rich.console",
        "sklearn",
        "sqlglot",
        "xgboost",
    ]
    program = (
        "import sys, modelyard.cli.main as m\n"
        "m.run(['--help'])\n"
        f"print('loaded:', [name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "loaded: []" in result.stdout
