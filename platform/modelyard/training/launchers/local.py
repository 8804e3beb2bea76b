"""Jobs as processes of this machine: each in a group and a folder of its own, watched whenever the list is read.

A job is a folder: what it was given, its process, its log, its outcome. So whoever reads the folder knows
the job, whether he started it or not. Its process holds a lock for as long as it lives, inherited from whoever
started it: that is how two submitters start one process, and how a submission that died before it
started anything is told from a job that runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from modelyard.config.kinds.base import format_duration, parse_size
from modelyard.errors import UsageError
from modelyard.files import CHUNK, io_errors, writing_whole
from modelyard.training.job import OUTCOME
from modelyard.training.launchers import processes
from modelyard.training.launchers.launcher import Job, JobKind, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.training.launchers.launcher import JobSpec

SCRATCH = "scratch"
REMOVED = ".removed-"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class Limits(BaseModel):
    """What a job may use; written before its process is started."""

    memory: int
    """Bytes."""
    timeout: float
    """Seconds."""


class Started(BaseModel):
    """A job's process; written once it is started."""

    pid: int
    at: float
    """Seconds since 1970."""


class Verdict(BaseModel):
    """Why the launcher ended a job; written before it does. To start it again would end it again."""

    reason: str


class LocalLauncher:
    """Starts jobs as processes of this machine.

    Args:
        folder: Where jobs have their folders.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def submit(self, spec: JobSpec) -> None:
        """Start a job, unless it is there already.

        If this process dies before the job's process is started, the job is as if it had never been submitted. If it
        dies right after, the job runs, and is found by its command line.

        Raises:
            UsageError: The name is not fit for a folder.
            StorageFull: There is no room for its folder.
            Unavailable: Its folder can't be written for another reason.
        """
        home = self._home(spec.name)
        with io_errors(home):
            home.mkdir(parents=True, exist_ok=True)
        with io_errors(home), _locked(home) as lock:
            if lock is None or (home / "process.json").exists():
                return
            (home / "task.json").touch(mode=0o600)  # it may hold a token
            (home / "task.json").write_bytes(spec.task)
            timeout = spec.resources.timeout.total_seconds()
            _write(home / "limits.json", Limits(memory=parse_size(spec.resources.memory), timeout=timeout))
            threads = max(1, int(spec.resources.cpu))
            task, log, scratch = home / "task.json", home / "log", home / SCRATCH
            pid = processes.start(spec.module, task, log, scratch, threads, lock, platform=spec.kind is JobKind.BUILD)
            _write(home / "process.json", Started(pid=pid, at=time.time()))

    def list(self) -> Sequence[Job]:
        """Every job that was started and not removed; those that use too much are ended on the way."""
        if not self._folder.is_dir():
            return []
        by_group = processes.groups()
        homes = sorted(home for home in self._folder.iterdir() if _NAME.fullmatch(home.name))
        return [job for home in homes if (job := self._look(home, by_group)) is not None]

    def logs(self, name: str) -> Iterator[bytes]:
        """What the job has printed so far, in chunks."""
        log = self._home(name) / "log"
        if log.exists():
            with log.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def cancel(self, name: str) -> None:
        """End a job's processes; one that is gone already is no error."""
        home = self._home(name)
        started = _started(home)
        if started is not None and processes.is_running(started.pid, home / "task.json"):
            _end(home, started, "cancelled", grace=processes.GRACE)

    def remove(self, name: str) -> None:
        """Forget an ended job. If this process dies meanwhile, what is left goes with the next one that is removed."""
        home = self._home(name)
        self.cancel(name)
        started = _started(home)
        if started is not None:
            processes.forget(started.pid)
        with suppress(FileNotFoundError):
            home.rename(home.with_name(f"{REMOVED}{name}-{os.getpid()}"))
        for away in self._folder.glob(f"{REMOVED}*"):
            shutil.rmtree(away, ignore_errors=True)

    def _home(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            reason = f"`{name}` is no name for a job"
            raise UsageError(reason, "lower-case letters, digits and hyphens, 80 at most")
        return self._folder / name

    def _look(self, home: Path, by_group: Mapping[int, Sequence[int]]) -> Job | None:
        name, task = home.name, home / "task.json"
        started = _started(home)
        if started is None:
            # Without a lock, whoever submitted it died before he started it; with one, it is being started.
            return Job(name, JobState.RUNNING) if _is_locked(home) else None
        if processes.is_running(started.pid, task):
            excess = _excess(home, started, by_group)
            if not excess:
                return Job(name, JobState.RUNNING)
            _end(home, started, excess, grace=0)
        else:
            processes.end(processes.orphans(started.pid, by_group, home / SCRATCH), grace=0)
        return _ended(home, processes.exit_code(started.pid))


def _started(home: Path) -> Started | None:
    try:
        return Started.model_validate_json((home / "process.json").read_bytes())
    except FileNotFoundError:
        pass
    task = home / "task.json"
    if not task.exists() or not _is_locked(home):
        return None
    pid = processes.find(task)
    if pid is None:
        return None
    # It was started by someone who did not live to note it.
    started = Started(pid=pid, at=task.stat().st_mtime)
    _write(home / "process.json", started)
    return started


def _excess(home: Path, started: Started, by_group: Mapping[int, Sequence[int]]) -> str:
    """What a running job has too much of, in words; empty where it keeps to its limits."""
    limits = Limits.model_validate_json((home / "limits.json").read_bytes())
    used = processes.resident(processes.family(started.pid, by_group))
    if used > limits.memory:
        return f"used {used >> 20:,} MiB of memory; resources.memory allows {limits.memory >> 20:,} MiB"
    if time.time() - started.at > limits.timeout:
        return (
            f"took longer than the {format_duration(timedelta(seconds=limits.timeout))} that resources.timeout allows"
        )
    return ""


def _end(home: Path, started: Started, reason: str, *, grace: float) -> None:
    _write(home / "verdict.json", Verdict(reason=reason))
    processes.end(processes.family(started.pid, processes.groups()), grace=grace)


def _ended(home: Path, code: int | None) -> Job:
    outcome = _read(home / OUTCOME)
    if outcome is not None:
        state = JobState.SUCCEEDED if json.loads(outcome).get("ok") else JobState.FAILED
        return Job(home.name, state, outcome=outcome)
    verdict = _read(home / "verdict.json")
    if verdict is not None:
        reason = Verdict.model_validate_json(verdict).reason
        return Job(home.name, JobState.FAILED, reason=reason, permanent=True)
    reason = f"the process ended without an outcome{_how(code)}"
    return Job(home.name, JobState.FAILED, reason=reason, lost=code is None)


def _how(code: int | None) -> str:
    if code is None:
        return ""
    return f" (killed by {signal.Signals(-code).name})" if code < 0 else f" (exit code {code})"


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _write(file: Path, content: Any) -> None:
    with writing_whole(file, durable=False) as output:
        output.write(content.model_dump_json().encode())


@contextmanager
def _locked(home: Path, kind: int = fcntl.LOCK_EX) -> Iterator[int | None]:
    """The job's lock, as a descriptor; None where someone has it.

    It is a lock of the open file, so that a process that inherits the descriptor keeps it.
    """
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(home: Path) -> bool:
    try:
        with _locked(home, fcntl.LOCK_SH) as lock:  # shared: two who look do not see each other
            return lock is None
    except FileNotFoundError:
        return False
