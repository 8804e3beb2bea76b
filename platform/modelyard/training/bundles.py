"""The project's own modules, as they travel with a model: kept by the registry under their digest, imported under it.

A bundle is imported as a package of its own, named by its digest, so that two versions of a model, with two states of
the same module, predict in one process. Within a bundle, files import each other relatively.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from typing import TYPE_CHECKING

from modelyard.config.bundles import bundle_digest, pack, read_bundle, unpack
from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.registry.registry import Registry


def keep_bundles(registry: Registry, root: Path, bundles: Mapping[str, str]) -> None:
    """Put the bundles of a definition where runs find them, so that an edit afterwards does not reach a queued run.

    A bundle that is there already is kept again: a sweep spares what is young, and this run is not queued yet. If the
    process dies, a bundle is left that nothing names, for the sweep.

    Args:
        registry: Where bundles are kept.
        root: The project's folder.
        bundles: The digests by module, as the definition has them.

    Raises:
        InvalidData: A module is not what was applied, and no run has kept what was.
    """
    for module, digest in bundles.items():
        files = read_bundle(root, module)
        registry.keep_bundle(digest, pack(files) if bundle_digest(files) == digest else _kept(registry, module, digest))


def _kept(registry: Registry, module: str, digest: str) -> bytes:
    """A bundle as an earlier run kept it."""
    try:
        return registry.read_bundle(digest)
    except NotFound as error:
        reason = f"the module `{module}` has changed since the model was applied"
        raise InvalidData(reason, "run `modelyard apply`") from error


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
