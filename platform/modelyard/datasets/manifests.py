"""What every dataset store writes down of a partition, and how it reads that again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelyard.canonical import digest
from modelyard.datasets import parquet
from modelyard.datasets.store import DataFile, Manifest
from modelyard.errors import IntegrityError, InvalidData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILES, MANIFESTS = "_files", "_manifests"
"""The folders of a dataset: of its files, each in that of the process which staged it, and of its manifests."""

_DIGITS = 8


def manifest_name(number: int) -> str:
    """The name of a manifest's file; names sort as their numbers do."""
    return f"{number:0{_DIGITS}}.json"


def describe_files(dataset: str, folder: Path, root: Path) -> tuple[DataFile, ...]:
    """The files that were staged for a dataset.

    Args:
        dataset: The dataset.
        folder: Where they lie.
        root: Where their paths start.

    Raises:
        InvalidData: There are none, or one is not a whole Parquet file.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        reason = f"nothing was staged for {dataset}"
        raise InvalidData(reason, "an empty partition is a Parquet file without rows")
    return tuple(parquet.describe(path, root) for path in paths)


def describe_partition(
    files: Sequence[DataFile],
    root: Path,
    *,
    where: Mapping[str, tuple[str, str]] | None,
    details: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What a manifest says of its files.

    Args:
        files: The files.
        root: Where their paths start on this machine.
        where: The ranges of columns that the partition's rows are in; all rows unless said.
        details: What whoever publishes says of them.
    """
    ranges = dict(where or {})
    return {
        "files": tuple(files),
        "where": ranges,
        "rows": sum(parquet.count_rows(root / file.path, ranges) for file in files),
        "digest": digest({"files": [file.sha256 for file in files], "where": ranges}),
        "schema_": parquet.schema(root / files[0].path),
        "details": dict(details or {}),
    }


def parse_manifest(content: bytes, partition: str, name: str) -> Manifest:
    """A manifest, as it was read.

    Args:
        content: Its bytes.
        partition: Whose it is, for the error.
        name: Its file's name, for the error.

    Raises:
        IntegrityError: It is damaged.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        reason = f"the manifest {name} of {partition} is damaged: {error}"
        raise IntegrityError(reason, "publish the partition again") from error
