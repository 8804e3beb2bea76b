"""A project's own modules: which files belong to one, and the digest that pins it.

A bundle is the `.py` files of a folder. Anything else in the folder does not travel with a model.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Code that people wrote for a pipeline is a few files; these catch a folder named by mistake.
MAX_FILES = 500
MAX_BYTES = 5 << 20


def bundle_name(module: str) -> str:
    """The name by which pipelines call a module of the project: `./lib/estimators` is `lib.estimators`."""
    return module.removeprefix("./").replace("/", ".")


def read_bundle(root: Path, module: str) -> dict[str, bytes]:
    """The files of one of the project's modules, by their path within it.

    Args:
        root: The project's folder.
        module: The module as `modelyard.yaml` names it, such as `./estimators`.

    Raises:
        NotFound: There is no such folder, or no Python file in it.
        InvalidData: It holds a link, or more than a bundle may.
    """
    folder = root / module.removeprefix("./")
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*.py")):
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            reason = f"`{path.relative_to(root)}` is a link"
            raise InvalidData(reason, "a bundle holds plain files; copy what the link points to")
        size += path.stat().st_size
        if len(files) == MAX_FILES or size > MAX_BYTES:
            reason = f"the module `{module}` holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB of Python"
            raise InvalidData(reason, "name a folder that holds the pipeline's own code only")
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
    if not files:
        reason = f"there is no Python file in `{folder}`"
        raise NotFound(reason, f"`modules` in modelyard.yaml names `{module}`: a folder beside it with .py files")
    return files


def bundle_digest(files: Mapping[str, bytes]) -> str:
    """The identity of a bundle: paths and bytes decide it, nothing else.

    Args:
        files: The bundle's files by their path within it, as `read_bundle` gives them.
    """
    whole = hashlib.sha256()
    for path in sorted(files, key=PurePosixPath):
        content = files[path]
        whole.update(f"{path}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()
