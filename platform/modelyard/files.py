"""Files that appear whole or not at all, and what goes wrong with files."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from modelyard.errors import IntegrityError, NotFound, StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 1 << 20
"""Bytes that are read at a time: large enough to be quick, small enough to hold many at once."""

UNFINISHED = ".part"
"""What the name of a file ends in that is not whole yet; it begins with a dot."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing_whole(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that appears under its name, in a folder made for it, when the context ends well: whole.

    A process that dies in between leaves a file whose name starts with a dot.

    Args:
        path: The file.
        durable: Whether to wait until it would survive a loss of power too.

    Raises:
        StorageFull: There is no room.
        Unavailable: The disk does not take it for another reason.
    """
    with io_errors(path):
        descriptor, name = _temporary(path.parent)
    file = open(descriptor, "wb")  # noqa: PTH123, SIM115 - a descriptor; closing may fail where writing did
    try:
        yield file
        with io_errors(path):
            file.flush()
            if durable:
                os.fsync(descriptor)
            file.close()
            os.replace(name, path)  # noqa: PTH105 - pathlib would take as long as the system does
    except BaseException:
        with suppress(OSError):
            file.close()
        Path(name).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_verified(
    path: Path, chunks: Iterable[bytes], *, what: str, sha256: str | None, hint: str, durable: bool = True
) -> None:
    """Write bytes to a file, if they are the ones that were recorded: whole, or not at all.

    Args:
        path: The file; its folder is made.
        chunks: The bytes.
        what: What they are, for errors.
        sha256: The digest that they must have; None where nobody knows.
        hint: What to do where they have another.
        durable: Whether to wait until they would survive a loss of power too.

    Raises:
        IntegrityError: They have another digest.
        StorageFull: There is no room.
        Unavailable: The disk does not take them for another reason.
    """
    digest = hashlib.sha256()
    with writing_whole(path, durable=durable) as file:
        for chunk in chunks:
            digest.update(chunk)
            with io_errors(path):
                file.write(chunk)
        if sha256 not in (None, digest.hexdigest()):
            msg = f"{what} has other bytes than were recorded: their SHA-256 is {digest.hexdigest()}, and not {sha256}"
            raise IntegrityError(msg, hint)


def _temporary(folder: Path) -> tuple[int, str]:
    try:
        return _create(folder)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return _create(folder)


def _create(folder: Path) -> tuple[int, str]:
    """As `tempfile.mkstemp`, with the rights that new files have: others read what this process writes."""
    name = str(folder / f".{uuid4().hex}{UNFINISHED}")
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), name


def file_stamp(path: Path) -> tuple[int, ...]:
    """What changes with a file, however it is replaced: a mounted Secret is another file behind the same name."""
    try:
        found = os.stat(path)  # noqa: PTH116 - looked at in loops that serve, and quicker
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def io_errors(path: Path) -> Iterator[None]:
    """Say what an error of the operating system about a file means.

    Raises:
        NotFound: The file is not there.
        StorageFull: The disk, or the quota, holds no more.
        Unavailable: Something else.
    """
    try:
        yield
    except FileNotFoundError as error:
        msg = f"there is no `{path.name}`"
        raise NotFound(msg) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            msg = f"no room for `{path.name}`: {error.strerror}"
            raise StorageFull(msg, "make room, then try again") from error
        msg = f"`{path}`: {error.strerror}"
        raise Unavailable(msg, "check the disk and its permissions, then try again") from error
