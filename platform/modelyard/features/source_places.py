"""Where sources may lie: a path is an author's to write, and what reads it has the platform's identity.

Places are told as text: an absolute path with its links followed, or an address in S3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.config.kinds.source import S3
from modelyard.errors import InvalidData, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.config.kinds import Source


@dataclass(frozen=True)
class SourcePlaces:
    """Where the files of sources may lie; files of installed packages are sources everywhere."""

    allowed: tuple[str, ...] | None = None
    """Absolute folders and `s3://BUCKET/PREFIX`; anywhere, where it is None."""
    never: tuple[str, ...] = ()
    """What of S3 is no source whatever is allowed: it is the registry's, or the datasets'."""

    def permit(self, place: str) -> bool:
        """Whether a file may be read there, or looked for.

        Args:
            place: The file, or a pattern of files whose part before its first wildcard has no links left.
        """
        if ".." in place.split("/"):  # after a wildcard, or to a server that takes keys for paths
            return False
        if any(_below(place, own) for own in self.never):
            return False
        return self.allowed is None or any(_below(place, _followed(folder)) for folder in self.allowed)

    def check(self, source: Source, place: str) -> None:
        """Make sure that a file may be read there, or looked for; nothing is looked at for it.

        Raises:
            InvalidData: It may not.
        """
        if not self.permit(place):
            reason = f"source `{source.name}`: {source.path} lies where no source may"
            raise InvalidData(reason, f"{self._told()}; ask whoever runs the platform")

    def _told(self) -> str:
        if self.allowed is None:
            return "sources lie outside of the registry's and the datasets' own stores, and their paths hold no `..`"
        return f"sources lie {''.join(f'below {one}, ' for one in self.allowed)}in installed packages, nowhere else"


ANYWHERE = SourcePlaces()
"""For whoever reads files that are his own."""


def check_apart(places: Iterable[str], own: Iterable[str]) -> None:
    """Make sure that places for sources hold nothing of the platform's own stores, and are not within them.

    Raises:
        UsageError: They do, or are.
    """
    kept = tuple(own)
    for place in places:
        for store in kept:
            if _below(f"{place}/", store) or _below(f"{store}/", place):
                reason = f"`sources` names {place}, and {store} is the platform's own"
                raise UsageError(reason, "name folders that hold sources alone")


def _below(place: str, folder: str) -> bool:
    return place.startswith(f"{folder.rstrip('/')}/")


def _followed(folder: str) -> str:
    return folder if folder.startswith(S3) else os.path.realpath(folder)
