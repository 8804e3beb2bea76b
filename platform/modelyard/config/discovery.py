"""Which folder is a project, and which of its files are documents.

A project is the folder of a `modelyard.yaml`; every YAML file below it is a document of it, except in folders and
files whose names begin with a dot, and in a folder below with a `modelyard.yaml` of its own: that is another project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT_FILE = "modelyard.yaml"
SUFFIXES = (".yaml", ".yml")


def find_project(start: Path) -> Path:
    """The project's folder that a folder or file lies in, found upward, as git finds `.git`.

    Args:
        start: A folder or a file.

    Raises:
        NotFound: There is no `modelyard.yaml` there or above.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    reason = f"there is no {PROJECT_FILE} in `{start}` or above it"
    raise NotFound(reason, "go to a project's folder, or make one: modelyard init FOLDER")


def find_projects(path: Path) -> list[Path]:
    """The project that a path lies in, or else every project below it.

    Args:
        path: A folder or a file.

    Raises:
        NotFound: The path does not exist, or there is no project.
    """
    if not path.exists():
        reason = f"there is no `{path}`"
        raise NotFound(reason)
    try:
        return [find_project(path)]
    except NotFound as error:
        below = sorted(Path(folder) for folder, _, files in _walk(path.absolute()) if PROJECT_FILE in files)
        if below:
            return below
        reason = f"there is no {PROJECT_FILE} in `{path}`, above it or below it"
        raise NotFound(reason, error.hint) from error


def document_files(root: Path) -> list[Path]:
    """The YAML files of a project, `modelyard.yaml` first.

    Args:
        root: The project's folder.
    """
    found = [root / PROJECT_FILE]
    for folder, folders, files in _walk(root):
        if folder != str(root) and PROJECT_FILE in files:
            folders.clear()  # another project, with all that is below it
            continue
        here = Path(folder)
        found += (here / name for name in sorted(files) if name.endswith(SUFFIXES) and not name.startswith("."))
    return list(dict.fromkeys(found))


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield folder, folders, files
