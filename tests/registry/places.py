"""Where a registry under test lies: its records in SQLite or in DynamoDB, its files in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from modelyard.aws import make_client
from modelyard.registry.dynamodb import DynamoMetadata
from modelyard.registry.dynamodb.creation import create_table
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.home import RegistryHome
from modelyard.registry.local import LocalRegistry
from modelyard.registry.rules.base import utc_now
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from modelyard.registry.artifacts import ArtifactStore
    from modelyard.registry.sqlite import SqliteMetadata


@dataclass(frozen=True)
class Place:
    """A place that other processes can be told of."""

    home: Path
    """The folder of what lies in files."""
    table: str = ""
    """The DynamoDB table; SQLite in the folder where there is none."""

    def __str__(self) -> str:
        return f"{self.table}@{self.home}"

    @classmethod
    def read(cls, text: str) -> Place:
        """The place that was written."""
        table, _, home = text.partition("@")
        return cls(Path(home), table)

    def metadata(self) -> SqliteMetadata | DynamoMetadata:
        """The records."""
        if self.table:
            return DynamoMetadata(self.table, client=dynamodb_client())
        return RegistryHome(self.home).metadata()

    def artifacts(self) -> ArtifactStore:
        """The bytes."""
        return FilesystemArtifacts(self.home / "artifacts")

    def registry(self, clock: Callable[[], datetime] = utc_now) -> LocalRegistry:
        """The registry, in which Amina acts."""
        return LocalRegistry(self.metadata(), self.artifacts(), actor="amina", clock=clock)


@cache
def dynamodb_client() -> Any:
    """One client for all tables of a process, which may be a child: making one reads files of megabytes."""
    os.environ.setdefault("AWS_ENDPOINT_URL_DYNAMODB", address_of("TEST_DYNAMODB_URL"))
    return make_client("dynamodb")


def new_table() -> str:
    """A table of a registry, with a name of its own."""
    name = f"modelyard-test-{uuid4().hex}"
    create_table(name, client=dynamodb_client())
    return name


def drop_table(name: str) -> None:
    """Remove a test's table."""
    dynamodb_client().delete_table(TableName=name)
