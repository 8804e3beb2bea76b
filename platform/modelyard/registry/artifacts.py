"""The artifact store, as the registry's rules see it: bytes at keys that the server alone builds.

A version's files lie at `LOCATION/PATH`; its location is `models/TEAM/MODEL/NUMBER-SECRET`, where the secret cannot be
guessed. Logs of runs lie below `runs/`, documents too large for the metadata store below `documents/`, the projects'
own modules below `bundles/`. Nothing refers to a key before its bytes are whole, so that what a dying process leaves
behind is never read, and a sweep removes it.

One more back-end is one more module beside `filesystem.py`, a line in `wiring`, and the contract tests run on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from typing import BinaryIO

    from modelyard.registry.records import Artifact, UploadTarget

VERSIONS = "models"
RUNS = "runs"
DOCUMENTS = "documents"
BUNDLES = "bundles"

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_UNFINISHED = re.compile(r"\.[A-Za-z0-9._~-]+")


def check_key(key: str) -> list[str]:
    """The parts of a key; the last one begins with a dot where it names an unfinished write.

    Raises:
        InvalidData: It is none.
    """
    *folders, name = key.split("/")
    if not all(map(_PART.fullmatch, folders)) or not (_PART.fullmatch(name) or _UNFINISHED.fullmatch(name)):
        msg = f"`{key}` is no key of the artifact store"
        raise InvalidData(msg)
    return [*folders, name]


@dataclass(frozen=True)
class StoredFile:
    """Something that lies in the store."""

    key: str
    size: int
    """Bytes."""
    modified: datetime


class Writer(Protocol):
    """Takes bytes for a key."""

    def write(self, chunk: bytes, /) -> None:
        """Append bytes.

        Raises:
            StorageFull: There is no room.
        """


class ArtifactStore(Protocol):
    """Where bytes live."""

    def targets(self, location: str, artifacts: Sequence[Artifact]) -> tuple[UploadTarget, ...]:
        """Where a creator sends the files of a version that have not arrived yet."""

    def writing(self, key: str, expected: Artifact | None = None) -> AbstractContextManager[Writer]:
        """Write a key through the registry itself: whole when the context ends well, else as if nothing was written.

        Args:
            key: The key; what lies there already is replaced.
            expected: What the bytes must be.

        Raises:
            WrongBytes: The bytes are not the expected ones.
            StorageFull: There is no room.
        """

    def seal(self, location: str, artifacts: Sequence[Artifact]) -> None:
        """Make sure that every file of a version is there, whole, and stays through a loss of power.

        Raises:
            NotUploaded: A file is missing, or a piece of it; the same claim says where it goes.
            WrongBytes: A file's bytes differ.
        """

    def url(self, key: str) -> str:
        """A URL that reads a key's bytes for some minutes, without credentials; empty where the store has none."""

    def open(self, key: str) -> BinaryIO:
        """A key's bytes as a file that can be read and sought in.

        Raises:
            NotFound: Nothing lies there.
        """

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """A key's bytes from `start` up to `end` (exclusive), in chunks.

        Raises:
            NotFound: Nothing lies there.
        """

    def stored(self, prefix: str) -> Iterator[StoredFile]:
        """Everything below a prefix, unfinished writes included, in no particular order."""

    def remove(self, key: str, *, if_unmodified_since: datetime | None = None) -> bool:
        """Remove a key. One that is gone already is no error.

        Args:
            key: The key.
            if_unmodified_since: What was written there later stays; looked at last thing before it is removed.

        Returns:
            Whether nothing lies there any more.
        """


def finished(store: ArtifactStore, prefix: str) -> Iterator[str]:
    """The keys below a prefix whose writes have come to an end.

    Args:
        store: The store.
        prefix: The prefix.
    """
    return (file.key for file in store.stored(prefix) if "/." not in file.key)
