"""The project's own modules, as they travel with a model: a zip named by its content, imported under that name.

A bundle is imported as a package of its own, named by its digest, so that two versions of a model, with two states of
the same module, predict in one process. Within a bundle, files import each other relatively.
"""

from __future__ import annotations

import importlib
import io
import re
import stat
import struct
import sys
import zipfile
import zlib
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from typing import TYPE_CHECKING

from modelyard.config.bundles import MAX_BYTES, MAX_FILES, bundle_digest, read_bundle
from modelyard.errors import IntegrityError, InvalidData
from modelyard.files import writing_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.py")
_UNREADABLE = (
    ValueError, OSError, EOFError, NotImplementedError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What zipfile raises on files that nobody would write."""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold: the same files make the same bytes


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


def keep_bundles(root: Path, bundles: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Put the bundles of a definition where runs find them, so that an edit afterwards does not reach a queued run.

    A file is written under its digest and never changed; if the process dies, a temporary file is left, which no
    one reads.

    Args:
        root: The project's folder.
        bundles: The digests by module, as the definition has them.
        folder: Where bundles are kept.

    Returns:
        Their files by module.

    Raises:
        InvalidData: A module is not what was applied, and no run has kept what was.
    """
    found = {}
    for module, digest in bundles.items():
        target = folder / f"{digest}.zip"
        if not target.exists():
            files = read_bundle(root, module)
            if bundle_digest(files) != digest:
                reason = f"the module `{module}` has changed since the model was applied"
                raise InvalidData(reason, "run `modelyard apply`")
            with writing_whole(target) as file:
                file.write(pack(files))
        found[module] = target
    return found


def import_bundle(content: bytes, digest: str) -> str:
    """Import a bundle: from here on, its code runs.

    Args:
        content: Its zip.
        digest: Its digest.

    Returns:
        The package that it was imported as.

    Raises:
        IntegrityError: The zip is not the bundle with that digest.
    """
    package = f"modelyard_bundle_{digest[:16]}"
    if package not in sys.modules:
        loader = _BundleLoader(package, unpack(content, digest))
        sys.meta_path.append(loader)
        for name in loader.modules:
            importlib.import_module(name)
    return package


def bundled_classes(package: str) -> list[str]:
    """The full names of the classes that an imported bundle defines."""
    modules = [module for name, module in list(sys.modules.items()) if f"{name}.".startswith(f"{package}.")]
    return [
        f"{module.__name__}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]


class _BundleLoader(InspectLoader, MetaPathFinder):
    """Finds and loads the modules of one bundle from memory."""

    def __init__(self, package: str, files: Mapping[str, bytes]) -> None:
        self.modules: dict[str, tuple[bytes, bool]] = {package: (b"", True)}
        """Module → its code, and whether it is a package."""
        for path in sorted(files):
            *folders, name = path.removesuffix(".py").split("/")
            for depth in range(1, len(folders) + 1):
                self.modules.setdefault(".".join([package, *folders[:depth]]), (b"", True))
            is_package = name == "__init__"
            self.modules[".".join([package, *folders, *([] if is_package else [name])])] = (files[path], is_package)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - the signature is Python's
        """Where a module comes from: here, if it is of this bundle."""
        if fullname not in self.modules:
            return None
        return ModuleSpec(fullname, self, origin=f"<{fullname}>", is_package=self.is_package(fullname))

    def is_package(self, fullname: str) -> bool:
        """Whether a module of the bundle holds others."""
        return self.modules[fullname][1]

    def get_source(self, fullname: str) -> str:
        """The code of a module of the bundle."""
        return decode_source(self.modules[fullname][0])
