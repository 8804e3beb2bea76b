"""How far the poller has come: `poll.json` in the folder of specs.

It is written after the specs. If the process dies in between, the next poll does the same again and finds it done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from modelyard.orchestration.specs import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 2
"""The number of the format that is written, and the only one that is read."""


@dataclass(frozen=True)
class PollState:
    """What the last poll knew."""

    cursor: str | None = None
    """The registry's change cursor up to which specs are current."""
    polled_at: datetime | None = None
    """When the registry was asked last, with success."""
    reconciled_at: datetime | None = None
    """When every model was looked at last."""
    without: Mapping[str, str] = field(default_factory=dict)
    """Models that have no DAG, with the reason; archived ones left out."""


def read_state(folder: Path) -> PollState:
    """What the last poll knew; nothing, where there was none or its file is damaged: then every model is looked at."""
    try:
        content = json.loads((folder / "poll.json").read_bytes())
        if content["format"] != FORMAT:
            return PollState()
        return PollState(
            cursor=None if content["cursor"] is None else str(content["cursor"]),
            polled_at=datetime.fromisoformat(content["polled_at"]),
            reconciled_at=datetime.fromisoformat(content["reconciled_at"]),
            without={str(model): str(reason) for model, reason in content["without"].items()},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return PollState()


def write_state(folder: Path, state: PollState) -> None:
    """Keep what a poll knows."""
    content = {
        "format": FORMAT,
        "cursor": state.cursor,
        "polled_at": state.polled_at.isoformat() if state.polled_at else None,
        "reconciled_at": state.reconciled_at.isoformat() if state.reconciled_at else None,
        "without": dict(sorted(state.without.items())),
    }
    replace_file(folder / "poll.json", (json.dumps(content, indent=1) + "\n").encode())
