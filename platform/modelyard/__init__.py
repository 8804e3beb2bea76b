"""Modelyard: commit a YAML file; tomorrow the model is scoring.

Each folder here is a room with one concern; `docs/architecture.md` says which, and import contracts hold it.
In a notebook, `modelyard.open()` is the door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.notebook import OpenProject


def open(start: str | Path | None = None) -> OpenProject:  # noqa: A001 - read as modelyard.open, as gzip.open is
    """The project that a folder lies in, with its registry, its datasets and its models.

    Args:
        start: A folder or file of the project; the current folder unless said.

    Raises:
        NotFound: There is no `modelyard.yaml` in the folder or above it.
    """
    from pathlib import Path

    from modelyard.notebook import open_project

    return open_project(Path(start) if start is not None else None)
