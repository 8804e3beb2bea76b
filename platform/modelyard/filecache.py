"""Files that were fetched, on this machine: whole and verified, each under a key that stands for its content.

Processes share the folder. A file comes under its name when it is whole, so that whoever finds it may read it. When
the folder grows beyond its bound, those that were used longest ago go; what was handed out in the last hours stays, as
somebody may be about to open it, and what is open stays readable.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import IntegrityError
from modelyard.files import UNFINISHED, write_verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

LARGEST = 50 << 30
"""Bytes that the folder may hold, beside what is in use."""

IN_USE = 6 * 3600.0
"""Seconds for which a file stays after it was handed out: longer than any session or job goes without asking again."""

_AT_ONCE = 8
_SHARD = 2  # characters of a key that name its folder, so that none holds too many files


@dataclass(frozen=True)
class Wanted:
    """A file that somebody wants on this machine."""

    key: str
    """Stands for its content: 64 hexadecimal characters."""
    suffix: str
    """What its name ends in, such as `.parquet`: some readers go by that."""
    size: int
    """Bytes."""
    sha256: str | None
    """64 hexadecimal characters; None where nobody knows."""
    read: Callable[[], Iterable[bytes]]
    """Its bytes, in chunks, from where they lie."""
    name: str
    """What it is called, for errors."""


class FileCache:
    """A folder of fetched files. Threads and processes may share it.

    Args:
        folder: The folder; made when something is fetched.
        largest: Bytes that it may hold, beside what is in use.
    """

    def __init__(self, folder: Path, *, largest: int = LARGEST) -> None:
        self._folder = folder
        self._largest = largest

    def fetch(self, wanted: Sequence[Wanted]) -> list[Path]:
        """Where files can be read, in their order; those that are missing are fetched, several at once.

        If the process dies, a file that is not whole is left under a name that nobody reads, for a later call.

        Raises:
            IntegrityError: What was fetched is not what it should be; it is not kept.
            StorageFull: There is no room.
            Unavailable: Where they lie does not answer.
        """
        paths = [self._path(one) for one in wanted]
        missing = {path: one for path, one in zip(paths, wanted, strict=True) if not _touched(path, one)}
        if missing:
            with ThreadPoolExecutor(min(_AT_ONCE, len(missing)), thread_name_prefix="fetch") as pool:
                for fetched in [pool.submit(_fetch, one, path) for path, one in missing.items()]:
                    fetched.result()
            self._make_room()
        return paths

    def _path(self, wanted: Wanted) -> Path:
        return self._folder / wanted.key[:_SHARD] / f"{wanted.key}{wanted.suffix}"

    def _make_room(self) -> None:
        """Remove what was used longest ago, until the rest is within the bound."""
        found = sorted(self._files(), key=lambda file: file[1].st_mtime)
        excess = sum(status.st_size for _, status in found) - self._largest
        before = time.time() - IN_USE
        for path, status in found:
            old = status.st_mtime < before
            if old and (excess > 0 or path.name.endswith(UNFINISHED)):
                with suppress(OSError):
                    path.unlink()
                excess -= status.st_size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = self._folder / folder / name
                with suppress(FileNotFoundError):  # somebody else made room
                    yield path, path.stat()


def _touched(path: Path, wanted: Wanted) -> bool:
    """Whether a file is there; it counts as used now."""
    try:
        if path.stat().st_size != wanted.size:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _fetch(wanted: Wanted, to: Path) -> None:
    hint = "look at the store; publish it again"
    chunks = _of_size(wanted, hint)
    # After a loss of power its size is wrong, and it is fetched again.
    write_verified(to, chunks, what=wanted.name, sha256=wanted.sha256, hint=hint, durable=False)


def _of_size(wanted: Wanted, hint: str) -> Iterator[bytes]:
    size = 0
    for chunk in wanted.read():
        size += len(chunk)
        yield chunk
    if size != wanted.size:
        msg = f"{wanted.name} has {size} bytes instead of {wanted.size}"
        raise IntegrityError(msg, hint)
