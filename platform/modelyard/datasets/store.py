"""Datasets: named tables in partitions, written whole, audited, then published.

A partition is published by a numbered manifest that is created only if absent; the greatest number wins. Files
may be shared by the manifests of several partitions (a back-fill writes a range into one file); a reader keeps
the rows that its partition names.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


class DataFile(BaseModel):
    """One Parquet file of a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Relative to the dataset's location."""
    rows: int
    size: int
    """Bytes."""
    sha256: str


class Manifest(BaseModel):
    """One published state of a partition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    """Such as `features/borrower_history/3`, `training_sets/<digest>`, `predictions/ke_loan_default/7`."""
    partition: str
    """Such as `2026-01-31`, or `all`."""
    number: int
    """From 1; the greatest is what readers see."""
    files: tuple[DataFile, ...]
    where: dict[str, tuple[str, str]] = {}
    """For files shared with other partitions: column → half-open range [from, to) of this one's ISO instants."""
    rows: int
    digest: str
    """Over the files' digests and `where`: the partition's identity."""
    schema_: dict[str, str]
    """Column → Arrow type."""
    details: dict[str, Any] = {}
    """What the writer says of it: the instants, the audit's results, the roles of columns."""
    published_at: datetime


class Staging(Protocol):
    """A place to write a partition's files before anyone can see them."""

    path: Path
    """A local folder of the caller's own; the Parquet files written into it are what is published."""

    def publish(
        self, partition: str, *, where: dict[str, tuple[str, str]] | None = None, details: dict[str, Any] | None = None
    ) -> Manifest:
        """Make the staged files a partition's newest state. May be called once per partition that shares the files."""


class DatasetStore(Protocol):
    """Where datasets lie. Whoever reads a partition sees one published state of it, whole."""

    def stage(self, dataset: str) -> AbstractContextManager[Staging]:
        """A staging place; what was not published when it is left is removed, or swept if the process died."""

    def manifest(self, dataset: str, partition: str) -> Manifest | None:
        """The newest manifest of a partition; None where nothing was published."""

    def partitions(self, dataset: str) -> Sequence[str]:
        """The published partitions of a dataset, in order."""

    def files(self, manifest: Manifest) -> Sequence[str]:
        """Where a manifest's files can be read: paths or URLs, which the engine and PyArrow understand."""

    def presigned(self, manifest: Manifest, seconds: int) -> Sequence[str]:
        """URLs that open a manifest's files, in their order, and nothing else, for so many seconds.

        Raises:
            UsageError: The store has no URLs.
        """

    def verify(self, manifest: Manifest) -> None:
        """Check every file against its manifest.

        Raises:
            IntegrityError: A file is missing, or its bytes differ.
        """

    def sweep(self, *, older_than: datetime, dry_run: bool = True) -> Mapping[str, int]:
        """Remove what no newest manifest names and what dead processes staged.

        Returns:
            What was, or would be, removed, with the bytes that this frees.
        """
