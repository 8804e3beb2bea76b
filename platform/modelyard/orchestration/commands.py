"""Running `modelyard` as a process of its own, as a scheduler's task does: the same entry points as for a person.

Words are an argument list and never meet a shell. The exit code decides whether trying again can help.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.errors import InvalidData, Unavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PERMANENT: Final = frozenset({UsageError.exit_code, InvalidData.exit_code})
"""Exit codes that come back however often one tries; all others, and an end by a signal, may not."""

GRACE: Final = 10.0
"""Seconds between asking a command to end and ending it."""


class Command:
    """One command, in its own process group, so that it ends with all that it started.

    Args:
        words: The words after `modelyard`.
        folder: The folder to run it in.
        environment: The environment variables of the scheduler's process.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.words = tuple(words)
        self.folder = folder
        self.environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, say: Callable[[str], None]) -> None:
        """Run it to its end.

        Args:
            say: Told every line that it prints.

        Raises:
            InvalidData: It failed for good.
            Unavailable: It failed, and may succeed when tried again.
        """
        arguments = [program(self.environment), *self.words]
        try:
            self._process = subprocess.Popen(
                arguments,
                cwd=self.folder,
                env=environment_of(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            reason = f"`{arguments[0]}` can't be started in {self.folder}: {error.strerror}"
            raise InvalidData(reason, "set MODELYARD_COMMAND and MODELYARD_PROJECT") from error
        with self._process as process:
            try:
                for line in process.stdout or ():
                    say(line.rstrip("\n"))
                code = process.wait()
            finally:
                self.stop()
        if code:
            raise self._failure(code)

    def stop(self) -> None:
        """End it, and all that it started; without effect where it has ended."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _failure(self, code: int) -> InvalidData | Unavailable:
        line = " ".join(("modelyard", *self.words))
        if code in PERMANENT:
            return InvalidData(f"`{line}` ended with exit code {code}", "its messages say why; see them above")
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return Unavailable(f"`{line}` ended with {how}", "its messages say why; it is tried again")


def program(environment: Mapping[str, str]) -> str:
    """The `modelyard` to run: what MODELYARD_COMMAND names, or the one beside this Python.

    Args:
        environment: The environment variables.
    """
    return environment.get("MODELYARD_COMMAND") or str(Path(sys.executable).with_name("modelyard"))


def environment_of(environment: Mapping[str, str]) -> dict[str, str]:
    """A scheduler's environment without what is Airflow's own: its secrets are not for commands.

    Args:
        environment: The environment variables.
    """
    return {name: value for name, value in environment.items() if not name.lstrip("_").startswith("AIRFLOW")}
