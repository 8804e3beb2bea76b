"""A folder that is there whole or not at all, whenever the process that writes it dies."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import Conflict, InvalidData, Unavailable, UsageError
from modelyard.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHOOSE = "choose another --out or remove it"
"""What to do where something is in the way."""


def recorded(record: Path, asked: Mapping[str, Any]) -> bool:
    """Whether the record's folder was made with what is asked for now; false where there is nothing yet.

    Raises:
        UsageError: The folder is something else, such as a file.
        Conflict: It holds something else, or was made with other parameters.
        InvalidData: Its record cannot be read.
    """
    out = record.parent
    if not out.exists():
        return False
    if not out.is_dir():
        reason = f"{out} is not a folder"
        raise UsageError(reason, "choose another --out")
    if not record.exists():
        if any(out.iterdir()):
            reason = f"{out} holds something else than a simulation"
            raise Conflict(reason, CHOOSE)
        return False
    other = _differences(_parameters(record), asked)
    if other:
        reason = f"{out} holds a simulation with other parameters: {', '.join(other)}"
        raise Conflict(reason, CHOOSE)
    return True


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON for people and programs, to the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """A new folder that becomes `out` when the block ends, and vanishes where it fails.

    If the process dies inside the block, the new folder stays as `.NAME.partial` beside `out`, without a lock; the next
    call empties it. The last step is one rename: after it, everything is there and nothing is left over.

    Raises:
        UsageError: The folder cannot be made there.
        Conflict: Another process is writing it.
        Unavailable: What was written could not be kept, for lack of space for example.
    """
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{out} cannot be made: {error.strerror}"
        raise UsageError(reason, "choose another --out") from error
    with _locked(partial, out):
        try:
            _empty(partial)
            yield partial
            _publish(partial, out)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OSError):
                reason = f"{out} could not be written: {error}"
                raise Unavailable(reason, "make room, or choose another --out") from error
            raise


def _publish(partial: Path, out: Path) -> None:
    for folder in (*filter(Path.is_dir, partial.iterdir()), partial):
        sync_folder(folder)
    partial.rename(out)
    # If the machine loses power before this, the folder may be back under its old name, and the next call begins anew.
    sync_folder(out.parent)


@contextmanager
def _locked(partial: Path, out: Path) -> Iterator[None]:
    """Hold the folder itself as the lock: it ends with the process, and leaves no file."""
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        if not _lock(descriptor, partial):
            reason = f"another process is writing {out}"
            raise Conflict(reason, "wait for it, and run this again")
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Before the lock was there to be had, its owner may have finished and moved the folder away.
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _parameters(record: Path) -> dict[str, Any]:
    try:
        parameters: dict[str, Any] = dict(json.loads(record.read_bytes())["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{record} does not say how the simulation was made"
        raise InvalidData(reason, CHOOSE) from error
    return parameters


def _differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    names = sorted({*there, *asked})
    return [
        f"{name} {there.get(name)} instead of {asked.get(name)}" for name in names if there.get(name) != asked.get(name)
    ]
