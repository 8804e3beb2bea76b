"""Files by their content, so that a version that was loaded once is not downloaded again, and equal files lie once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.canonical import file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.records import Artifact, ModelVersion
    from modelyard.registry.registry import Registry


def fetch(registry: Registry, version: ModelVersion, artifact: Artifact, cache: Path) -> bytes:
    """An artifact's bytes, from the cache or from the registry; verified either way.

    A download comes into place whole, whoever else fetches the same. If the process dies, a part of it is left beside
    it, which nobody reads.

    Args:
        registry: Where the version is.
        version: The version.
        artifact: One of its artifacts.
        cache: The folder of the cache.

    Raises:
        IntegrityError: The registry's bytes are not those that were registered.
    """
    place = cache / artifact.sha256[:2] / artifact.sha256
    if not place.exists() or file_digest(place) != artifact.sha256:
        registry.download_artifact(version.model, version.number, artifact.path, place)
    return place.read_bytes()
