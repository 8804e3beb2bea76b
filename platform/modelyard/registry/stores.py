"""The two stores of a registry, together: for the services and commands that work on them and not through the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.registry.local import LocalRegistry

if TYPE_CHECKING:
    from modelyard.registry.artifacts import ArtifactStore
    from modelyard.registry.metadata import MetadataStore


@dataclass(frozen=True)
class RegistryStores:
    """A registry's records and bytes, wherever they lie."""

    address: str
    """Where they are, in words for people."""
    metadata: MetadataStore
    """The records; `close` ends its connections."""
    artifacts: ArtifactStore
    """The bytes."""

    def registry(self, actor: str) -> LocalRegistry:
        """The registry.

        Args:
            actor: Who is named in its history.
        """
        return LocalRegistry(self.metadata, self.artifacts, actor=actor)

    def close(self) -> None:
        """Close the connections."""
        self.metadata.close()
