"""The processes of local jobs: started in a group of their own, recognised later, weighed and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from modelyard.training.launchers.launcher import THREAD_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NICENESS = 5  # more than this process: behind what a person waits for at this machine, before what nobody waits for
GRACE = 2.0  # seconds between asking a process to end and ending it: it has nothing to tidy up that a sweep would not
KEPT_VARIABLES = ("LANG", "LC_ALL", "PATH", "VIRTUAL_ENV")
"""What a job gets of the environment it is started from: no credentials, no settings."""
AWS_FILES = {"AWS_CONFIG_FILE": ".aws/config", "AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials"}
"""Where boto3 looks below a home, which a job's process does not have."""


_children: dict[int, subprocess.Popen[bytes]] = {}
"""The processes that this one started. They are its children, whichever launcher asked for them."""


def environment(outer: Mapping[str, str], home: Path, threads: int, platform: bool = False) -> dict[str, str]:
    """The environment of a job's process.

    Args:
        outer: The environment it is started from.
        home: The job's scratch folder, which is its home.
        threads: How many threads numeric libraries may start.
        platform: Whether it runs the platform's code alone, and so may have who we are at AWS.
    """
    kept = {name: outer[name] for name in KEPT_VARIABLES if name in outer}
    if platform:
        files = {name: str(Path(outer["HOME"], file)) for name, file in AWS_FILES.items() if "HOME" in outer}
        kept |= files | {name: value for name, value in outer.items() if name.startswith("AWS_")}
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {"LANG": "C.UTF-8", **kept, **limits, "HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1"}


def start(module: str, task: Path, log: Path, home: Path, threads: int, lock: int, *, platform: bool = False) -> int:
    """Start a job's process in a session, and so a process group, of its own.

    Args:
        module: The Python module to run.
        task: Its only argument; the process is recognised by it.
        log: Where it prints.
        home: Its scratch folder.
        threads: How many threads numeric libraries may start.
        lock: A descriptor that it keeps open as long as it lives.
        platform: Whether it runs the platform's code alone.

    Returns:
        The process.
    """
    home.mkdir(exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            # `nice` becomes the process itself, so that not one moment of it is less nice.
            ["nice", "-n", str(NICENESS), sys.executable, "-m", module, str(task)],  # noqa: S607 - every POSIX system has it
            cwd=home,
            env=environment(os.environ, home, threads, platform),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
    _children[process.pid] = process
    return process.pid


def exit_code(pid: int) -> int | None:
    """How a process ended, if it has, and if this process started it: a system tells nobody else."""
    child = _children.get(pid)
    return None if child is None else child.poll()


def forget(pid: int) -> None:
    """Let the system forget a process that was ended."""
    child = _children.pop(pid, None)
    if child is not None:
        child.wait()


def is_running(pid: int, task: Path) -> bool:
    """Whether a process is there and is the one of a task: its number may have been given to another one since."""
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        # For a moment after it was started, the system knows a process, but not its command line.
        return process.status() != psutil.STATUS_ZOMBIE and (not words or str(task) in words)
    except psutil.Error:
        return False


def find(task: Path) -> int | None:
    """The process of a task, where whoever started it died before it noted the number."""
    for process in psutil.process_iter(["pid", "cmdline"]):
        if str(task) in (process.info["cmdline"] or ()):
            return int(process.info["pid"])
    return None


def groups() -> dict[int, list[int]]:
    """The processes of this machine by process group."""
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        try:
            found.setdefault(os.getpgid(pid), []).append(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def family(leader: int, by_group: Mapping[int, Sequence[int]]) -> set[int]:
    """The processes of a job: its group, and descendants that left it."""
    try:
        descendants = {child.pid for child in psutil.Process(leader).children(recursive=True)}
    except psutil.Error:
        descendants = set()
    return descendants | set(by_group.get(leader, ()))


def orphans(leader: int, by_group: Mapping[int, Sequence[int]], home: Path) -> set[int]:
    """The processes of a job's group that outlived its leader.

    Where all of them have ended, the group's number may belong to others by now: so each must have the job's home.
    """
    return {pid for pid in by_group.get(leader, ()) if _home(pid) == str(home)}


def _home(pid: int) -> str | None:
    try:
        return psutil.Process(pid).environ().get("HOME")
    except psutil.Error:
        return None


def resident(pids: Iterable[int]) -> int:
    """The bytes of memory that processes hold together; what they share counts for each."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    return total


def end(pids: Iterable[int], *, grace: float = GRACE) -> None:
    """End processes: asked first, then killed.

    Args:
        pids: The processes.
        grace: Seconds to end by themselves; none where 0.
    """
    ending = set(pids)
    deadline = time.monotonic() + grace
    if grace:
        _signal(ending, signal.SIGTERM)
        while time.monotonic() < deadline and any(_lives(pid) for pid in ending):
            time.sleep(0.02)
    _signal({pid for pid in ending if _lives(pid)}, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, what)
        except (ProcessLookupError, PermissionError):
            continue
