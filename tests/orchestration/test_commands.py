"""Commands in processes of their own: what they print, how they end, and what ends with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelyard.errors import InvalidData, Unavailable
from modelyard.orchestration.commands import Command, environment_of, program
from tests.waiting import gone, until


def script(folder: Path, text: str) -> dict[str, str]:
    """An environment whose `modelyard` is a shell script."""
    path = folder / "modelyard"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {**os.environ, "MODELYARD_COMMAND": str(path)}


def ran(folder: Path, text: str, words: tuple[str, ...] = ("score", "ke_loan_default")) -> list[str]:
    lines: list[str] = []
    Command(words, folder, script(folder, text)).run(lines.append)
    return lines


def test_both_of_its_outputs_are_told_line_by_line(tmp_path: Path) -> None:
    assert ran(tmp_path, "echo one; echo two >&2; printf three") == ["one", "two", "three"]


def test_words_never_meet_a_shell(tmp_path: Path) -> None:
    words = ("score", "$(touch hacked)", "; touch hacked", "a b", "{{ macros }}")
    assert ran(tmp_path, 'for word in "$@"; do echo "$word"; done', words) == list(words)
    assert not (tmp_path / "hacked").exists()


def test_it_runs_in_the_projects_folder(tmp_path: Path) -> None:
    assert ran(tmp_path, "pwd -P") == [str(tmp_path.resolve())]


@pytest.mark.parametrize(
    ("text", "error", "how"),
    [
        ("exit 65", InvalidData, "exit code 65"),
        ("exit 64", InvalidData, "exit code 64"),
        ("exit 75", Unavailable, "exit code 75"),
        ("exit 1", Unavailable, "exit code 1"),
        ("kill -9 $$", Unavailable, "signal 9"),
    ],
)
def test_how_it_ends_decides_whether_it_is_tried_again(
    tmp_path: Path, text: str, error: type[InvalidData | Unavailable], how: str
) -> None:
    with pytest.raises(error, match=f"`modelyard score ke_loan_default` ended with {how}"):
        ran(tmp_path, text)


def test_a_command_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    environment = {"MODELYARD_COMMAND": str(tmp_path / "nowhere")}
    with pytest.raises(InvalidData, match="MODELYARD_COMMAND"):
        Command(("poll",), tmp_path, environment).run(print)


def test_output_that_is_no_text_is_told_nevertheless(tmp_path: Path) -> None:
    assert ran(tmp_path, r"printf 'a\377b\n'") == ["a\N{REPLACEMENT CHARACTER}b"]


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    children: list[str] = []
    command = Command(("score",), tmp_path, script(tmp_path, "sleep 600 & echo $!; wait"))

    def stop_once_it_spoke() -> None:
        until(lambda: children)
        command.stop()

    stopper = threading.Thread(target=stop_once_it_spoke)
    stopper.start()
    with pytest.raises(Unavailable, match="signal 15"):
        command.run(children.append)
    stopper.join()
    until(lambda: gone(int(children[0])))  # a signal was sent, and takes its time to arrive


HANDLED = """
import os, signal
from pathlib import Path
from modelyard.orchestration.commands import Command
command = Command(("score",), Path(), os.environ)
signal.signal(signal.SIGTERM, lambda *_: command.stop())
command.run(lambda line: print(line, flush=True))
"""


def test_a_signals_handler_may_stop_it_while_it_is_read(tmp_path: Path) -> None:
    environment = script(tmp_path, "sleep 600 & echo $!; wait")
    words = [sys.executable, "-c", HANDLED]
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True) as task:
        assert task.stdout
        child = int(task.stdout.readline())
        task.send_signal(signal.SIGTERM)
        _, errors = task.communicate(timeout=30)
    assert "ended with signal 15" in errors
    until(lambda: gone(child))


def test_what_does_not_listen_is_ended_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.orchestration.commands.GRACE", 0.1)

    def interrupted(line: str) -> None:
        raise TimeoutError(line)

    command = Command(("score",), tmp_path, script(tmp_path, "trap '' TERM; echo $$; while true; do sleep 1; done"))
    with pytest.raises(TimeoutError) as error:
        command.run(interrupted)
    assert gone(int(str(error.value)))


def test_it_ends_when_its_reader_fails(tmp_path: Path) -> None:

    def interrupted(line: str) -> None:
        raise TimeoutError(line)

    with pytest.raises(TimeoutError):
        Command(("score",), tmp_path, script(tmp_path, "echo one; sleep 600")).run(interrupted)


def test_stopping_what_never_ran_or_has_ended_does_nothing(tmp_path: Path) -> None:
    command = Command(("score",), tmp_path, script(tmp_path, "true"))
    command.stop()
    command.run(print)
    command.stop()


def test_the_program_is_the_one_beside_this_python_unless_said() -> None:
    assert program({}) == str(Path(sys.executable).with_name("modelyard"))
    assert program({"MODELYARD_COMMAND": "/opt/modelyard/bin/modelyard"}) == "/opt/modelyard/bin/modelyard"


def test_what_is_airflows_own_stays_there() -> None:
    scheduler = {"AIRFLOW__CORE__FERNET_KEY": "secret", "_AIRFLOW_PROCESS_CONTEXT": "client", "MODELYARD_HOME": "/srv"}
    assert environment_of(scheduler) == {"MODELYARD_HOME": "/srv"}
