"""The moves of a run: each one change of its record, conditioned on the record as it was read."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.records import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.records import Outcome, Run
    from modelyard.registry.registry import Registry
    from modelyard.training.spec import RunSpec

TRIES = 3
"""How often a run is started before a failure that may pass counts as one that does not."""
BACKOFF = timedelta(seconds=2)
"""Before the second try, and twice as long before the third; by chance, up to half of it less or more."""
LONGEST_REASON = 2000
"""Characters; the log has the rest."""

WAITS = "waits for free cores"


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Moves:
    """Moves runs in a registry. Every move raises `Conflict` where somebody else moved the run since it was read."""

    registry: Registry
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[], float] = random.random
    """Between 0 and 1, for the time between tries: runs that failed together do not come back together."""

    def enter(self, run: Run, state: RunState, *, tries: int) -> Run:
        """Begin BUILDING or TRAINING. What does not end in time is ended by the launcher."""
        started_at = run.started_at or self.clock()
        changes = {"state": state, "tries": tries, "not_before": None, "reason": "", "started_at": started_at}
        return self.registry.update_run(run.model_copy(update=changes))

    def wait(self, run: Run, used: float, capacity: float) -> Run:
        """Say that a run waits for others to end; once, however long it takes."""
        if run.reason.startswith(WAITS):
            return run
        reason = f"{WAITS}: {used:g} of {capacity:g} are taken"
        return self.registry.update_run(run.model_copy(update={"reason": reason}))

    def succeed(self, run: Run, spec: RunSpec, outcome: Outcome) -> Run:
        """End a run whose version is registered, and make that live, as the model says.

        The promotion comes first, under the run's id as its key: if the process dies between the two, it is asked for
        again and answered with the one that is there.
        """
        reason = "" if outcome.version is None else self._promote(run, spec, outcome.version)
        changes = {"version": outcome.version, "metrics": outcome.metrics}
        return self.end(run.model_copy(update=changes), RunState.SUCCEEDED, reason)

    def interrupt(self, run: Run, reason: str) -> Run:
        """Queue a run again whose job ended with the loop that watched it, however often that happens."""
        changes = {"state": RunState.QUEUED, "reason": f"interrupted: {reason}"[:LONGEST_REASON]}
        return self.registry.update_run(run.model_copy(update=changes))

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
        return self.registry.update_run(run.model_copy(update=changes))

    def end(self, run: Run, state: RunState, reason: str) -> Run:
        """End a run."""
        changes = {"state": state, "reason": reason[:LONGEST_REASON], "finished_at": self.clock()}
        return self.registry.update_run(run.model_copy(update=changes))

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
            self.registry.promote(run.model, version, reason=f"run {run.id}", key=run.id)
        except (Conflict, InvalidData, NotFound) as error:
            return f"version {version} is not promoted: {error.reason}"
        return ""
