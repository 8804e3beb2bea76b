"""A first project: a folder of documents that trains two models of a table that scikit-learn ships.

One more file of it is one more file in `files/`; a leading dot is written here without it, see `HIDDEN`.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from modelyard.config.json_schema import schemas_by_file
from modelyard.errors import UsageError
from modelyard.files import io_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

HIDDEN = ("gitignore", "pre-commit-config.yaml")
"""Files whose names begin with a dot in the project; here they must not, or tools would take them for their own."""

SCHEMAS = ".schemas"
"""The folder of the JSON Schemas that the documents name; its dot keeps it from being read for documents."""

_NAME = "first_project"


def project_files(name: str) -> dict[str, str]:
    """The text of every file of a first project, by its path.

    Args:
        name: The project's name.
    """
    texts = dict(_texts(files(__name__) / "files"))
    texts = {path: text.replace(_NAME, name) for path, text in texts.items()}
    return {**texts, **{f"{SCHEMAS}/{file}": text for file, text in schemas_by_file().items()}}


def project_name(folder: Path) -> str:
    """A project's name from its folder's: `Credit Risk` becomes `credit_risk`."""
    words = re.sub(r"[^a-z0-9]+", "_", folder.absolute().name.lower()).strip("_")
    return (words if words[:1].isalpha() else f"project_{words}".rstrip("_"))[:63]


def write_project(folder: Path) -> list[Path]:
    """Write a first project into a folder, which is made where it is not there.

    A process that dies on the way leaves some of the files, whole or not; the same call then names those that differ.

    Args:
        folder: The folder; what is in it stays.

    Returns:
        The files, as they were written.

    Raises:
        UsageError: Files are there already, and hold something else.
        Unavailable: The folder can't be written.
    """
    wanted = {folder / path: text for path, text in sorted(project_files(project_name(folder)).items())}
    there = [path for path, text in wanted.items() if path.exists() and not _holds(path, text)]
    if there:
        names = ", ".join(path.relative_to(folder).as_posix() for path in there)
        reason = f"`{folder}` already holds {names}"
        raise UsageError(reason, "nothing was written; name another folder, or move these files away")
    for path, text in wanted.items():
        with io_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return list(wanted)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _texts(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts(entry, f"{prefix}{entry.name}/")
        else:
            dot = "." if entry.name in HIDDEN else ""
            yield f"{prefix}{dot}{entry.name}", entry.read_text("utf-8")
