"""A plan in a file: saved for review, and refused once what it was made from has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from modelyard.errors import Conflict, InvalidData
from modelyard.files import writing_whole

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.config.plan_values import Key, Plan

LAYOUT = 1


def save_plan(plan: Plan, file: Path) -> None:
    """Write a plan into a file, whole or not at all: a process that dies leaves what was there before.

    Args:
        plan: The plan.
        file: The file; one that is there is replaced.
    """
    text = json.dumps({"layout": LAYOUT, **plan.content()}, indent=2, ensure_ascii=False)
    with writing_whole(file) as opened:
        opened.write(f"{text}\n".encode())


class SavedPlan:
    """A plan as it was saved.

    Args:
        file: The file that `save_plan` wrote.

    Raises:
        InvalidData: The file is no saved plan.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            layout, self._digest, only = content["layout"], content["digest"], content["only"]
            self.project: str = content["project"]
            self.environment: str = content["environment"]
            self.only: frozenset[Key] | None = None if only is None else frozenset((kind, name) for kind, name in only)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"`{file}` is no saved plan: {error}"
            raise InvalidData(reason, "save one: modelyard plan --out FILE") from error
        if layout != LAYOUT:
            reason = f"`{file}` was saved by another version of Modelyard"
            raise InvalidData(reason, "save it again: modelyard plan --out FILE")

    def refuse_stale(self, current: Plan) -> None:
        """Check that the plan is still what applying would do.

        Args:
            current: The plan as made now, with the saved plan's selection.

        Raises:
            Conflict: The project or the registry changed since it was saved.
        """
        if current.digest != self._digest:
            reason = f"the project or the registry changed since `{self._file}` was saved"
            raise Conflict(reason, "look at what would happen now: modelyard plan")
