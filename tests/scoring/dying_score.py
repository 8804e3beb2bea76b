"""`python -m tests.scoring.dying_score FOLDER STEP`: scores a day, and is killed as it comes to a step, `end` for never."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.scoring import batch, writing
from tests.scoring.world import DAY, MODEL, open_world

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: dict[str, tuple[Any, str]] = {
    "write": (writing.Writer, "write"),
    "audit": (batch, "audit_predictions"),
    "publish": (os, "link"),  # gives the manifest its name
    "published": (batch, "ScoreResult"),
}


def die_at(step: str) -> None:
    """Let the process be killed when it calls a step's function."""
    owner, name = STEPS[step]

    def dying(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def main(folder: Path, step: str, tell: Callable[[str], object] = print) -> None:
    """Score, or die on the way."""
    if step != "end":
        die_at(step)
    world = open_world(folder)
    target = batch.find_target(world.registry, MODEL, DAY)
    result = batch.score_partition(target, world.load, world.datasets, world.engine)
    tell(str(result.manifest.number))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
