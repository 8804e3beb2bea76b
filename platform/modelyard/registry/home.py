"""A registry's folder on a machine: where its database and its artifacts lie."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.sqlite import SqliteMetadata
from modelyard.registry.stores import RegistryStores

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry

DATABASE, ARTIFACTS = "registry.db", "artifacts"


@dataclass(frozen=True)
class RegistryHome:
    """A folder that holds a registry, or will."""

    path: Path

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.path / DATABASE

    def check(self) -> None:
        """Make sure that there is a registry: whoever uses one makes it, and whoever cares for one must not.

        Raises:
            UsageError: There is none.
        """
        with closing(self.metadata()) as metadata:
            metadata.require()

    def metadata(self) -> SqliteMetadata:
        """The records; to be closed by the caller."""
        return SqliteMetadata(self.database)

    def artifacts(self) -> FilesystemArtifacts:
        """The bytes."""
        return FilesystemArtifacts(self.path / ARTIFACTS)

    def stores(self) -> RegistryStores:
        """Both."""
        return RegistryStores(str(self.path), self.metadata(), self.artifacts())

    def registry(self, actor: str) -> LocalRegistry:
        """The registry.

        Args:
            actor: Who is named in its history.
        """
        return self.stores().registry(actor)
