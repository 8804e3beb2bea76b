"""What a run's outcome depends on besides its data and its config: the code and the environment, as digests."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(__file__).parent.parent


def code_digest(bundles: Mapping[str, str]) -> str:
    """The digest of Modelyard's own code and of the project's bundles.

    Args:
        bundles: The bundles' digests by module, as the definition has them.
    """
    return digest({"modelyard": _package_digest(), "bundles": dict(bundles)})


@cache
def _package_digest() -> str:
    whole = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


@cache
def environment_digest() -> str:
    """The digest of the Python version and of every installed distribution with its version."""
    installed = {f"{found.name.lower()}=={found.version}" for found in metadata.distributions()}
    return digest([f"python=={platform.python_version()}", *sorted(installed)])


def library_versions() -> dict[str, str]:
    """The versions of the libraries that fit and predict, as far as they are installed."""
    names = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
    installed = {"python": platform.python_version()}
    for name in names:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
