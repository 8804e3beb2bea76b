"""Folders that belong to one process, and how to see that the process is gone.

The owner holds a lock on the folder. The operating system lets go of it however the process ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BETWEEN_MAKING_AND_LOCKING = timedelta(minutes=1)


@contextmanager
def locked_folder(parent: Path) -> Iterator[Path]:
    """A new folder, which is this process's own for the time of the `with`. It is not removed at its end."""
    folder = parent / uuid4().hex
    folder.mkdir(parents=True)
    with _locked(folder, wait=True):
        yield folder


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder that is removed at the end of the `with`, and by a later call where the process dies before."""
    sweep_folders(parent)
    with locked_folder(parent) as folder:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_folders(parent: Path) -> None:
    """Remove the scratch folders whose processes are gone."""
    if not parent.is_dir():
        return
    before = datetime.now(UTC) - _BETWEEN_MAKING_AND_LOCKING
    for folder in list(parent.iterdir()):
        with abandoned(folder, before) as is_abandoned:
            if is_abandoned:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def abandoned(folder: Path, older_than: datetime) -> Iterator[bool]:
    """Whether nobody owns a folder, and nobody takes it during the `with`; a young folder's owner may be about to."""
    try:
        if _newest_change(folder) >= older_than.timestamp():
            yield False
            return
        with _locked(folder, wait=False):
            yield True
    except (BlockingIOError, FileNotFoundError, NotADirectoryError):
        yield False


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _newest_change(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
