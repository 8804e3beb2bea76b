"""`python -m tests.scoring.dying_score FOLDER STEP`: scores a day, and is killed as it comes to a step."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from modelyard.scoring import batch, writing
from tests.scoring.world import DAY, MODEL, open_world

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


if __name__ == "__main__":
    die_at(sys.argv[2])
    world = open_world(Path(sys.argv[1]))
    batch.score_partition(batch.find_target(world.registry, MODEL, DAY), world.load, world.datasets, world.engine)
