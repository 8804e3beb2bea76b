"""Where the values of feature sets lie: which days are published, and in which rows of which files."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from modelyard.datasets.names import features_dataset
from modelyard.errors import NotFound
from modelyard.features.engine import FileRows, PartitionRows
from modelyard.features.instants import Grid
from modelyard.features.templates import AS_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.registry.records import FeatureSetPin

KINDS = {"integer": "number", "double": "number", "boolean": "boolean", "string": "category"}
"""A column's type → what a feature of it is to a model."""


def dataset_of(pin: FeatureSetPin) -> str:
    """The dataset that holds the values of a version."""
    return features_dataset(pin.name, pin.version)


def grid_of(definition: FeatureSetDefinition) -> Grid:
    """The instants of a feature set."""
    return Grid(definition.document.every, definition.timezone)


def manifests_of(pin: FeatureSetPin, days: Iterable[date], datasets: DatasetStore) -> list[Manifest]:
    """The newest manifests of some days.

    Raises:
        NotFound: A day is not published.
    """
    found = []
    for day in days:
        manifest = datasets.manifest(dataset_of(pin), day.isoformat())
        if manifest is None:
            reason = f"feature set `{pin.name}` version {pin.version} has no values as of {day}"
            command = f"modelyard features materialise {pin.name} --version {pin.version} --as-of {day}"
            raise NotFound(reason, command)
        found.append(manifest)
    return found


def partition_rows(manifests: Sequence[Manifest], datasets: DatasetStore) -> PartitionRows:
    """The rows of some partitions, in as few groups of files as it takes.

    Files that a range of days shares are read whole where every row of them still counts, and by the days' ranges where
    one of these days was published again since.
    """
    whole: list[str] = []
    shared: dict[tuple[str, ...], list[Manifest]] = defaultdict(list)
    for manifest in manifests:
        shared[tuple(datasets.files(manifest))].append(manifest)
    groups = []
    for files, parts in shared.items():
        if sum(part.rows for part in parts) == sum(file.rows for file in parts[0].files):
            whole += files
        else:
            groups.append(FileRows(files, AS_OF, _merged(part.where[AS_OF] for part in parts)))
    return PartitionRows((*([FileRows(tuple(whole))] if whole else []), *groups))


def _merged(ranges: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Ranges that touch, as one."""
    found: list[tuple[str, str]] = []
    for low, high in sorted(ranges):
        if found and found[-1][1] == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return tuple(found)
