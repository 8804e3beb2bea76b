"""A registry's folder on a machine: where its database and its artifacts lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import UsageError
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.local import LocalRegistry
from modelyard.registry.sqlite import SqliteMetadata

if TYPE_CHECKING:
    from pathlib import Path

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
        if not self.database.is_file():
            msg = f"there is no registry in `{self.path}`"
            raise UsageError(msg, f"name the folder that holds {DATABASE}")

    def metadata(self) -> SqliteMetadata:
        """The records; to be closed by the caller."""
        return SqliteMetadata(self.database)

    def artifacts(self) -> FilesystemArtifacts:
        """The bytes."""
        return FilesystemArtifacts(self.path / ARTIFACTS)

    def registry(self, actor: str) -> LocalRegistry:
        """The registry.

        Args:
            actor: Who is named in its history.
        """
        return LocalRegistry(self.metadata(), self.artifacts(), actor=actor)
