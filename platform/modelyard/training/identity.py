"""What a run's outcome depends on besides its data and its config: the code and the environment, as digests.

A run is asked for on one machine and may train on another. What is asked for is told apart by where it will train.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Platform:
    """What trains, besides the project's own modules."""

    package: str
    """The digest of Modelyard's own code."""
    environment: str
    """The digest of what is installed beside it."""

    def code(self, bundles: Mapping[str, str]) -> str:
        """The digest of Modelyard's own code and of the project's bundles.

        Args:
            bundles: The bundles' digests by module, as the definition has them.
        """
        return digest({"modelyard": self.package, "bundles": dict(bundles)})


def this_platform() -> Platform:
    """What this process is."""
    return Platform(_package_digest(), _environment_digest())


def image_platform(image: str) -> Platform:
    """What the pods of an image are: its reference stands for what is in it.

    Args:
        image: The reference, with a digest or with a tag that is never moved.
    """
    return Platform(package=digest(image), environment=digest(image))


@cache
def _package_digest() -> str:
    whole = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


@cache
def _environment_digest() -> str:
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
