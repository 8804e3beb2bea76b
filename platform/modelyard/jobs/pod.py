"""A job in a pod: its process is watched by another one, and it tells the registry how far it is and how it ended.

The first process of a pod is its init: signals that it does not handle do nothing to it, and it inherits orphans. So it
forks before it loads anything, passes on what it is told, and the work is done by a child, which a signal ends at once,
whatever native code it is in.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError
from modelyard.registry.records import Outcome, RunProgress
from modelyard.training.job import LONGEST_REASON, exit_code, listen, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.registry import Registry
    from modelyard.settings import Settings

TERMINATION_LOG = Path("/dev/termination-log")
LONGEST_MESSAGE = 4096
"""Bytes of it that Kubernetes keeps."""
INTERVAL = 2.0
"""Seconds between two reports of progress, at least."""
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_pod(
    work: Callable[[Settings, Registry], Outcome], *, ends_run: bool = True, message: Path = TERMINATION_LOG
) -> int:
    """Do a job's work as the environment says, in a child of this process.

    Args:
        work: The work, given the pod's settings and the registry.
        ends_run: Whether its outcome is its run's, and told to the registry.
        message: The file that Kubernetes keeps the beginning of.

    Returns:
        The process's exit code: 0 done, 65 failed for good, 75 to be tried again, 128 and more for a signal.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _work(work, message, ends_run=ends_run)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what the parent would do at its end is not this process's
    return watch(child)


def watch(child: int) -> int:
    """Wait for a child, passing signals on to it and burying orphans; its exit code."""
    for number in _PASSED_ON:
        signal.signal(number, lambda told, _frame: _pass_on(child, told))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _work(work: Callable[[Settings, Registry], Outcome], message: Path, *, ends_run: bool) -> int:
    """The child's part. If it dies before the outcome is told, there is none, and the run is tried again."""
    reporter: Reporter | None = None

    def whole() -> Outcome:
        nonlocal reporter
        from modelyard.settings import read_settings
        from modelyard.wiring import open_registry

        settings = read_settings(Path.cwd())
        registry = open_registry(settings)
        reporter = Reporter(registry, settings.run, settings.tries)
        listen(reporter.tell)
        return work(settings, registry)

    outcome = outcome_of(whole)
    outcome = outcome.model_copy(update={"reason": outcome.reason[:LONGEST_REASON]})
    with suppress(OSError):
        message.write_bytes(termination_message(outcome))
    if reporter is not None:
        reporter.close(outcome if ends_run else None)
    return exit_code(outcome)


def termination_message(outcome: Outcome) -> bytes:
    """An outcome in as many bytes as Kubernetes keeps; metrics go first, and then the end of the reason."""
    whole = outcome.model_dump_json().encode()
    if len(whole) > LONGEST_MESSAGE:
        whole = outcome.model_copy(update={"metrics": {}}).model_dump_json().encode()
    shown = len(outcome.reason)
    while len(whole) > LONGEST_MESSAGE:
        shown = shown * 3 // 4
        cut = outcome.model_copy(update={"metrics": {}, "reason": f"{outcome.reason[:shown]}…"})
        whole = cut.model_dump_json().encode()
    return whole


class Reporter:
    """Tells the registry of progress, beside the work and at its own pace: whatever goes wrong there, the work goes on.

    Args:
        registry: The registry.
        run: The run.
        tries: Its try.
    """

    def __init__(self, registry: Registry, run: str, tries: int) -> None:
        self._registry = registry
        self._progress = RunProgress(run=run, tries=tries)
        self._changed = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._report, name="progress", daemon=True)
        self._thread.start()

    def tell(self, what: str, part: float) -> None:
        """Keep what is being done, to be reported soon; only the newest is."""
        changes = {"doing": what[:LONGEST_REASON], "part": min(max(part, 0.0), 1.0)}
        self._progress = self._progress.model_copy(update=changes)
        self._changed.set()

    def close(self, outcome: Outcome | None) -> None:
        """Tell the run's outcome, as the last word; it is left behind in the pod too, should nobody hear."""
        self._ends.set()
        self._changed.set()
        self._thread.join()
        if outcome is None:
            return
        part = 1.0 if outcome.ok else self._progress.part
        last = self._progress.model_copy(update={"outcome": outcome, "metrics": outcome.metrics, "part": part})
        with suppress(ModelyardError):
            self._registry.report_progress(last)

    def _report(self) -> None:
        while not self._ends.is_set():
            self._changed.wait()
            self._changed.clear()
            if self._ends.is_set():
                return
            with suppress(ModelyardError):
                self._registry.report_progress(self._progress)
            self._ends.wait(INTERVAL)
