"""The controller: the same loop as on one machine, in the hands of whoever holds the Lease.

Any number of processes run; one leads. It renews its Lease beside the loop, and stops as soon as it can't: each change
of a run and each Job is preceded by a look at whether the Lease is held, and changes carry its epoch. What a process
leaves undone when it is killed, its successor finds in the registry and in the list of Jobs.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from modelyard.errors import ModelyardError
from modelyard.registry.checks import GREATEST_EPOCH
from modelyard.registry.pages import every
from modelyard.training.board import Limits
from modelyard.training.launchers.kubernetes import lease as leases
from modelyard.training.launchers.kubernetes.lease import NotLeading
from modelyard.training.moves import Moves
from modelyard.training.reconcile import OWN_TROUBLE, Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.registry import Registry
    from modelyard.settings import Settings
    from modelyard.training.controller.monitor import Monitor
    from modelyard.training.launchers.kubernetes.lease import Lease
    from modelyard.training.launchers.kubernetes.profile import Profile
    from modelyard.training.launchers.launcher import Launcher

INTERVAL = 1.0
"""Seconds between two steps: what a cancel waits for at most, beside the step itself."""
LONGEST_INTERVAL = 15.0
"""Seconds between steps while the registry or the API server does not answer."""
LOG_INTERVAL = 3.0
"""Seconds between two looks at the logs of what runs."""
COUNT_INTERVAL = 15.0
"""Seconds between two counts of the open runs."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What a controller works with."""

    registry: Registry
    launcher: Launcher
    datasets: DatasetStore
    settings: Settings
    limits: Limits


def limits_of(profile: Profile) -> Limits:
    """How many Jobs go on at the same time, as the operator's profile has it."""
    teams = {name: float(team.jobs) for name, team in profile.teams.items() if team.jobs is not None}
    return Limits(profile.jobs, per_team=profile.jobs_per_team, teams=teams, in_pods=True)


class Controller:
    """Runs the loop while this process leads.

    Args:
        parts: What it works with; the launcher makes nothing unless the lease is held.
        lease: Who leads.
        monitor: What operators see.
    """

    def __init__(self, parts: Parts, lease: Lease, monitor: Monitor) -> None:
        self._parts = parts
        self._lease = lease
        self._monitor = monitor
        self._stop = threading.Event()
        self._loop: Reconciler | None = None

    def stop(self) -> None:
        """End soon: the step that is under way stops at its next call, and the Lease is handed over."""
        self._lease.give_up()
        self._stop.set()

    def run(self) -> None:
        """Lead whenever it is this process's turn, until it is told to stop."""
        helpers = [
            threading.Thread(target=self._repeat, args=(self._renew, leases.INTERVAL), name="lease"),
            threading.Thread(target=self._repeat, args=(self._keep_logs, LOG_INTERVAL), name="logs"),
            threading.Thread(target=self._repeat, args=(self._count, COUNT_INTERVAL), name="count"),
        ]
        for helper in helpers:
            helper.start()
        try:
            pause = INTERVAL
            while not self._stop.wait(pause):
                pause = self._tick(pause)
        finally:
            self.stop()
            with suppress(ModelyardError):  # it runs out by itself
                self._lease.release()
            for helper in helpers:
                helper.join()

    def _repeat(self, what: Callable[[], None], seconds: float) -> None:
        while not self._stop.is_set():
            try:
                what()
            except NotLeading:
                pass
            except ModelyardError as error:
                self._monitor.failed(threading.current_thread().name)
                _log.warning("controller.failed", what=threading.current_thread().name, reason=error.reason)
            except Exception:  # noqa: BLE001 - as the comment says
                # A helper that is gone would be missed by nobody, and the loop must not go on without it.
                self._monitor.failed(threading.current_thread().name)
                _log.exception("controller.broken", what=threading.current_thread().name)
            self._stop.wait(seconds)

    def _renew(self) -> None:
        led = self._lease.held
        leads = self._lease.hold()
        self._monitor.leads(leads=leads, epoch=self._lease.epoch)
        if leads and not led:
            _log.info("controller.leads", identity=self._lease.identity, epoch=self._lease.epoch)

    def _tick(self, pause: float) -> float:
        """One step, if this process leads; the seconds until the next one."""
        self._monitor.alive()
        if not self._lease.held:
            self._loop = None
            self._monitor.leads(leads=False, epoch=self._lease.epoch)
            return INTERVAL
        begun = time.monotonic()
        try:
            self._step()
        except NotLeading:
            _log.info("controller.follows", identity=self._lease.identity)
            return INTERVAL
        except ModelyardError as error:
            self._monitor.failed("reconcile")
            _log.warning("controller.waits", reason=error.reason)
            return min(LONGEST_INTERVAL, 2 * pause)
        except Exception:  # noqa: BLE001 - as the comment says
            # A mistake of ours must not end the controller: others' runs may go on.
            self._monitor.failed("reconcile")
            _log.exception("controller.broken")
            return min(LONGEST_INTERVAL, 2 * pause)
        self._monitor.stepped(time.monotonic() - begun)
        return INTERVAL

    def _step(self) -> None:
        loop = self._loop_of(self._lease.epoch)
        seen = loop.step()
        # One that a Lease can't count to is no leader's: whoever went beyond it would be the last one to lead.
        ahead = max((run.epoch for run in seen.values() if run.epoch <= GREATEST_EPOCH), default=0)
        if ahead > self._lease.epoch:
            self._lease.raise_to(ahead)

    def _loop_of(self, epoch: int) -> Reconciler:
        """The loop of one time of leading: its changes carry that epoch."""
        if self._loop is None or self._loop.epoch != epoch:
            parts = self._parts
            moves = Moves(parts.registry, epoch=epoch, guard=self._lease.check)
            self._loop = Reconciler(
                parts.registry, parts.launcher, parts.datasets, parts.settings, moves=moves, limits=parts.limits
            )
        return self._loop

    def _keep_logs(self) -> None:
        """Keep the logs of what runs, so that they can be followed, and read after a pod is lost."""
        loop = self._loop
        if loop is None:
            return
        for job, run in dict(loop.running).items():
            if self._stop.is_set() or not self._lease.held:
                return
            try:
                loop.logs.keep(run, job)
            except OWN_TROUBLE as error:
                _log.warning("controller.no-log", job=job, reason=error.reason)

    def _count(self) -> None:
        if self._lease.held:
            open_runs = every(lambda page: self._parts.registry.open_runs(page=page))
            self._monitor.counted(Counter(run.state.value for run in open_runs))
