"""The files of a training set that lie elsewhere: by presigned URL, into a folder of the run's own, verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.registry.presigned import fetch

if TYPE_CHECKING:
    from modelyard.training.tasks import TaskFile


def local_file(file: TaskFile, folder: Path) -> Path:
    """Where a file can be read; fetched first, where it lies elsewhere.

    A process that dies on the way leaves an unfinished file in the run's folder, which goes with the folder.

    Args:
        file: The file.
        folder: Where files go that are fetched; made where it is not there.

    Raises:
        IntegrityError: What was fetched is not what was published.
        Unavailable: The store does not answer, or the URL does not open the file any more.
        StorageFull: There is no room.
    """
    if not file.place.startswith(("http://", "https://")):
        return Path(file.place)
    to = folder / f"{file.sha256}.parquet"
    if not to.exists():  # a file that is there is whole
        fetch(file.place, to, size=file.size, sha256=file.sha256)
    return to
