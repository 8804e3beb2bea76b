"""A project's own modules: which files belong to one, the digest that pins it, and the zip that it travels in.

A bundle is the `.py` files of a folder. Anything else in the folder does not travel with a model.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from modelyard.errors import IntegrityError, InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Code that people wrote for a pipeline is a few files; these catch a folder named by mistake.
MAX_FILES = 500
MAX_BYTES = 5 << 20

_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.py")
_UNREADABLE = (
    ValueError, OSError, EOFError, NotImplementedError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What zipfile raises on files that nobody would write."""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold: the same files make the same bytes


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


def pack(files: Mapping[str, bytes]) -> bytes:
    """A bundle's files as a zip; equal files make equal bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), files[path], zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def unpack(content: bytes, digest: str) -> dict[str, bytes]:
    """The files of a bundle's zip, checked before they are unpacked.

    Args:
        content: The zip.
        digest: The bundle's digest.

    Raises:
        IntegrityError: It is no bundle, or another one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            for member in members:
                if not _PATH.fullmatch(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
                    reason = f"a bundle holds `{member.filename}`, which is not a plain Python file within it"
                    raise IntegrityError(reason)
            if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_BYTES:
                reason = f"a bundle holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB"
                raise IntegrityError(reason)
            files = {member.filename: archive.read(member) for member in members}
    except _UNREADABLE as error:
        reason = f"a bundle is no readable zip: {error}"
        raise IntegrityError(reason) from error
    if bundle_digest(files) != digest:
        reason = f"a bundle is not the one that was pinned: {digest[:12]}"
        raise IntegrityError(reason)
    return files
