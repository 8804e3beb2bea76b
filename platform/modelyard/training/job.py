"""What a job's process leaves behind: lines of progress while it works, one outcome as its last act, an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from pydantic import ValidationError

from modelyard.errors import InvalidData, ModelyardError, Unavailable
from modelyard.files import writing_whole
from modelyard.registry.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTCOME = "outcome.json"
"""Beside the task's file."""
LONGEST_REASON = 2000
"""Characters of why a job or a run is where it is; the log has the rest."""


def exit_code(outcome: Outcome) -> int:
    """The exit code of a job's process: 0, 65 for what fails again, 75 for what may work later."""
    if outcome.ok:
        return 0
    return InvalidData.exit_code if outcome.permanent else Unavailable.exit_code


def read_outcome(content: bytes | None) -> Outcome | None:
    """What a job's process left behind; one that another version wrote, or half of one, counts as none."""
    if content is None:
        return None
    try:
        return Outcome.model_validate_json(content)
    except ValidationError:
        return None


_listeners: list[Callable[[str, float], None]] = []


def listen(listener: Callable[[str, float], None]) -> None:
    """Tell somebody else of a job's progress too, from now on.

    Args:
        listener: Told what is being done, and how much is.
    """
    _listeners.append(listener)


def tell(what: str, part: float) -> None:
    """Print a line of progress.

    Args:
        what: What is being done.
        part: How much is done, from 0 to 1.
    """
    sys.stdout.write(f"progress {part:.2f} {what}\n")
    sys.stdout.flush()
    for listener in _listeners:
        listener(what, part)


def outcome_of(work: Callable[[], Outcome]) -> Outcome:
    """How a job's work ends, whatever happens short of a kill; a reason is printed.

    Args:
        work: The work.
    """
    try:
        outcome = work()
    except ModelyardError as error:
        outcome = Outcome(ok=False, reason=str(error), permanent=not error.transient)
    except OSError as error:
        traceback.print_exc()
        outcome = Outcome(ok=False, reason=f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a job says how it ended, and a mistake in the code is made again
        traceback.print_exc()
        outcome = Outcome(ok=False, reason=f"{type(error).__name__}: {error}", permanent=True)
    if outcome.reason:
        sys.stdout.write(f"{outcome.reason}\n")
    return outcome


def run_job(work: Callable[[Path], Outcome], task: Path) -> int:
    """Do a job's work and leave its outcome behind.

    A process that dies before the outcome is written leaves none, and is started again.

    Args:
        work: The work, given the task's file.
        task: The task's file; the outcome goes beside it.

    Returns:
        The process's exit code: 0 done, 65 failed for good, 75 to be tried again.
    """
    outcome = outcome_of(lambda: work(task))
    with writing_whole(task.parent / OUTCOME) as file:
        file.write(outcome.model_dump_json().encode())
    return exit_code(outcome)
