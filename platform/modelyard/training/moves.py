"""The moves of a run: each one change of its record, conditioned on the record as it was read."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelyard.errors import Conflict, InvalidData, NotFound, Unapproved
from modelyard.registry.approval import promote_made
from modelyard.registry.records import RunState
from modelyard.training.job import LONGEST_REASON

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.records import Outcome, Run
    from modelyard.registry.registry import Registry
    from modelyard.registry.run_spec import RunSpec

TRIES = 3
"""How often a run is started before a failure that may pass counts as one that does not."""
BACKOFF = timedelta(seconds=2)
"""Before the second try, and twice as long before the third; by chance, up to half of it less or more."""

WAITS = "waits for "
"""What the reason of a run begins with that waits for others to end."""


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


def nothing() -> None:
    """Let a change be made."""


@dataclass(frozen=True)
class Moves:
    """Moves runs in a registry. Every move raises `Conflict` where somebody else moved the run since it was read."""

    registry: Registry
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[], float] = random.random
    """Between 0 and 1, for the time between tries: runs that failed together do not come back together."""
    epoch: int = 0
    """The controller's fence, which goes into every change; a loop on one machine has none."""
    guard: Callable[[], None] = nothing
    """Called before every change; raises where this process may not make it."""

    def enter(self, run: Run, state: RunState, *, tries: int) -> Run:
        """Begin BUILDING or TRAINING. What does not end in time is ended by the launcher."""
        started_at = run.started_at or self.clock()
        changes = {"state": state, "tries": tries, "not_before": None, "reason": "", "started_at": started_at}
        return self._change(run, changes)

    def wait(self, run: Run, what: str) -> Run:
        """Say what a run waits for until others end; once, however long it takes."""
        return run if run.reason.startswith(WAITS) else self.say(run, f"{WAITS}{what}")

    def say(self, run: Run, reason: str) -> Run:
        """Say why a run does not go on just now; empty where it does."""
        return run if run.reason == reason[:LONGEST_REASON] else self._change(run, {"reason": reason[:LONGEST_REASON]})

    def succeed(self, run: Run, spec: RunSpec, outcome: Outcome) -> Run:
        """End a run whose version is registered, and make that live, as the model says.

        The promotion comes first, under the run's id as its key: if the process dies between the two, it is asked for
        again and answered with the one that is there.

        What a job says of itself is checked: it may have run somebody's own code, and names its own version or none.
        """
        if outcome.version is not None and not self._made(run, outcome.version):
            reason = f"its job names version {outcome.version}, which this run has not made"
            return self.fail(run, reason, permanent=True)
        self.guard()
        reason = "" if outcome.version is None else self._promote(run, spec, outcome.version)
        changes = {"version": outcome.version, "metrics": outcome.metrics}
        return self.end(run.model_copy(update=changes), RunState.SUCCEEDED, reason)

    def interrupt(self, run: Run, reason: str) -> Run:
        """Queue a run again whose job ended with the loop that watched it, however often that happens."""
        changes = {"state": RunState.QUEUED, "reason": f"interrupted: {reason}"[:LONGEST_REASON]}
        return self._change(run, changes)

    def fail(self, run: Run, reason: str, *, permanent: bool, outcome: Outcome | None = None) -> Run:
        """End a run that failed, or queue it for another try."""
        if permanent or run.tries >= TRIES:
            why = reason if permanent else f"{reason}; tried {run.tries} times"
            metrics = {} if outcome is None else outcome.metrics
            return self.end(run.model_copy(update={"metrics": metrics, "permanent": permanent}), RunState.FAILED, why)
        wait = BACKOFF * 2 ** (run.tries - 1) * (0.5 + self.chance())
        changes = {
            "state": RunState.QUEUED,
            "not_before": self.clock() + wait,
            "reason": f"try {run.tries} of {TRIES} failed: {reason}"[:LONGEST_REASON],
        }
        return self._change(run, changes)

    def end(self, run: Run, state: RunState, reason: str) -> Run:
        """End a run."""
        changes = {"state": state, "reason": reason[:LONGEST_REASON], "finished_at": self.clock()}
        return self._change(run, changes)

    def _change(self, run: Run, changes: dict[str, Any]) -> Run:
        self.guard()
        epoch = {"epoch": self.epoch} if self.epoch else {}
        return self.registry.update_run(run.model_copy(update={**changes, **epoch}))

    def _made(self, run: Run, version: int) -> bool:
        try:
            return self.registry.version(run.model, version).run == run.id
        except NotFound:
            return False

    def _promote(self, run: Run, spec: RunSpec, version: int) -> str:
        """Make a version live from the next midnight on; why not, where it does not become so."""
        if run.cancel_requested:
            return f"version {version} was registered before the run could be cancelled; it is not promoted"
        model = self.registry.model(run.model)
        if model.definition["document"].get("promotion", "auto") != "auto":
            return ""
        if model.config != spec.config:
            return f"version {version} is not promoted: the model's definition has changed since the run was queued"
        try:
            promote_made(self.registry.promote, run.model, version, run.id)
        except Unapproved as error:
            # Whoever approves it promotes it as well, under the same key.
            return f"{error.reason}: {error.hint}"
        except (Conflict, InvalidData, NotFound) as error:
            return f"version {version} is not promoted: {error.reason}"
        return ""
