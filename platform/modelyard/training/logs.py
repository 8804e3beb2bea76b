"""A run's log: what its job has printed so far, or what was kept when it ended."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.registry.records import RunState
from modelyard.registry.run_spec import read_run_spec
from modelyard.training.job_names import build_prefix, training_job

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.registry.records import Run
    from modelyard.registry.registry import Registry
    from modelyard.training.launchers.launcher import Launcher


class LogKeeper:
    """Puts the logs of jobs into the registry: their last one before they are forgotten, and others while they run.

    Several threads may share one: what was printed last is never replaced by what was printed before.

    Args:
        registry: Keeps them.
        launcher: Has them.
    """

    def __init__(self, registry: Registry, launcher: Launcher) -> None:
        self._registry = registry
        self._launcher = launcher
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: dict[str, str] = {}
        """By job, the digest of what was kept of its log, and empty once that was its last."""

    def keep(self, run_id: str, job: str, *, last: bool = False) -> bool:
        """Keep what a job has printed by now; whether that was anything new.

        Args:
            run_id: The run.
            job: Its job.
            last: Whether it prints no more.
        """
        with self._lock:
            lock = self._locks.setdefault(job, threading.Lock())
        with lock:
            known = self._kept.get(job)
            if known == "" and not last:
                return False
            log = b"".join(self._launcher.logs(job))
            digest = hashlib.sha256(log).hexdigest()
            is_new = bool(log) and digest != known
            if is_new:
                self._registry.write_run_log(run_id, io.BytesIO(log))
            self._kept[job] = "" if last else digest
            return is_new

    def forget(self, running: Collection[str]) -> None:
        """Remember nothing of jobs that do not run any more.

        Args:
            running: Those that do.
        """
        with self._lock:
            for job in [job for job in self._kept if job not in running]:
                self._kept.pop(job, None)
                self._locks.pop(job, None)


def read_log(run: Run, registry: Registry, launcher: Launcher | None) -> bytes:
    """What is known of a run's log by now; nothing where it has not printed yet.

    Args:
        run: The run.
        registry: Keeps the logs of what has ended, and of what runs in a cluster.
        launcher: Has those of what runs on this machine; None where runs go elsewhere.
    """
    if launcher is not None and run.state is RunState.TRAINING:
        return b"".join(launcher.logs(training_job(run)))
    if launcher is not None and run.state is RunState.BUILDING:
        prefix = build_prefix(read_run_spec(run))
        jobs = (job.name for job in launcher.list() if job.name.startswith(prefix))
        return b"".join(chunk for job in jobs for chunk in launcher.logs(job))
    try:
        return b"".join(registry.read_run_log(run.id))
    except NotFound:
        return b""
