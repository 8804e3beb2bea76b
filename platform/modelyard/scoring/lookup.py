"""Features of entities, from the newest published partitions of the feature sets that a version pins.

Partitions are kept in memory, once for all versions that pin the same set, and newer ones take their place as they are
published. A set without one that is young enough is an error: no model was ever trained without one of its sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from modelyard.config.kinds.base import format_duration
from modelyard.datasets.names import features_dataset
from modelyard.errors import Unavailable
from modelyard.features.partitions import grid_of
from modelyard.scoring.partition import LoadedPartition, load_partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.datasets.store import DatasetStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PinnedSet:
    """A version of a feature set."""

    definition: FeatureSetDefinition
    version: int

    @property
    def dataset(self) -> str:
        """The dataset of its partitions."""
        return features_dataset(self.definition.name, self.version)

    def is_fresh(self, as_of: datetime, now: datetime) -> bool:
        """Whether values of an instant may be used."""
        return as_of <= now <= as_of + self.definition.document.ttl


class Partitions:
    """The newest partitions of feature sets, in memory: refreshed by one thread, read by any number of others.

    Args:
        datasets: Where partitions are published.
    """

    def __init__(self, datasets: DatasetStore) -> None:
        self._datasets = datasets
        self._loaded: Mapping[str, LoadedPartition] = {}
        self._problems: dict[str, str] = {}

    def load(self, pinned: Iterable[PinnedSet], now: datetime) -> None:
        """Load what was published of some sets since the last time. What can't be read leaves what was there before.

        Args:
            pinned: The sets.
            now: The time.
        """
        for one in pinned:
            try:
                loaded = self._newest(one, now)
            except Exception as error:  # noqa: BLE001 - files come from elsewhere, and other sets must go on
                self._problems[one.dataset] = f"the newest can't be read: {error}"
                _log.exception("partition not loaded", dataset=one.dataset)
                continue
            self._problems.pop(one.dataset, None)
            if loaded is not None and loaded is not self._loaded.get(one.dataset):
                self._loaded = {**self._loaded, one.dataset: loaded}

    def keep(self, pinned: Iterable[PinnedSet]) -> None:
        """Forget every set but these."""
        datasets = {one.dataset for one in pinned}
        self._loaded = {dataset: loaded for dataset, loaded in self._loaded.items() if dataset in datasets}

    def get(self, pinned: PinnedSet, now: datetime) -> LoadedPartition:
        """The newest partition of a set.

        Raises:
            Unavailable: None is published that is young enough.
        """
        loaded = self._loaded.get(pinned.dataset)
        if loaded is not None and pinned.is_fresh(loaded.as_of, now):
            return loaded
        name, ttl = pinned.definition.name, format_duration(pinned.definition.document.ttl)
        newest = f"the last one is of {loaded.as_of.isoformat()}" if loaded else "there is none"
        newest = self._problems.get(pinned.dataset, newest)
        reason = f"no partition of {pinned.dataset} is younger than its ttl of {ttl}: {newest}"
        grid = grid_of(pinned.definition)
        day = grid.day(grid.at_or_before(now))
        raise Unavailable(reason, f"modelyard features materialise {name} --version {pinned.version} --as-of {day}")

    def _newest(self, pinned: PinnedSet, now: datetime) -> LoadedPartition | None:
        """The newest published partition that began; what is loaded already is not read again."""
        grid = grid_of(pinned.definition)
        instant = grid.at_or_before(now)
        latest = grid.day(instant).isoformat()
        partition = max((day for day in self._datasets.partitions(pinned.dataset) if day <= latest), default="")
        manifest = self._datasets.manifest(pinned.dataset, partition) if partition else None
        if manifest is None:
            return None
        loaded = self._loaded.get(pinned.dataset)
        if loaded is not None and (loaded.digest, loaded.asked_for) == (manifest.digest, instant):
            return loaded
        # By the manifest and not by the rows: an instant may know nobody, and then nobody has values any more.
        instants = [datetime.fromisoformat(as_of) for as_of in manifest.details["instants"]]
        as_of = max((as_of for as_of in instants if as_of <= instant), default=None)
        if as_of is None:
            return None
        return load_partition(self._datasets.files(manifest), manifest, pinned.definition.entity, as_of, instant)


@dataclass(frozen=True)
class Lookup:
    """Where the features of one version's entities are found.

    Args:
        keys: The entity's columns with their kinds, string or integer.
        features: The kind of each feature, in the model's order.
        pinned: The feature sets that the version pins.
        partitions: Their newest partitions.
        refusal: Why features can't be looked up; empty where they can.
    """

    keys: Mapping[str, str]
    features: Mapping[str, str]
    pinned: Sequence[PinnedSet]
    partitions: Partitions
    refusal: str = ""

    def at(self, now: datetime) -> Snapshot:
        """The features as they are known at a moment; what is published later does not reach it.

        Raises:
            Unavailable: A set has no partition that is young enough.
        """
        return Snapshot(self.features, [(pinned, self.partitions.get(pinned, now)) for pinned in self.pinned])


@dataclass(frozen=True)
class Snapshot:
    """The features that one answer is made from."""

    features: Mapping[str, str]
    loaded: Sequence[tuple[PinnedSet, LoadedPartition]]

    @property
    def used(self) -> dict[str, dict[str, Any]]:
        """For each set, its version and the instant of the values, as JSON."""
        return {one.definition.name: {"version": one.version, "as_of": part.as_of} for one, part in self.loaded}

    def find(self, keys: Mapping[str, Sequence[Any]]) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """The features of some entities.

        Args:
            keys: Each column of the entity, with as many values as there are entities asked for.

        Returns:
            A row for each entity, in their order, null where a set has no row of it; and whether any set has one.
        """
        import pyarrow as pa

        columns: dict[str, pa.ChunkedArray] = {}
        found = np.zeros(len(next(iter(keys.values()))), dtype=bool)
        for _, partition in self.loaded:
            rows = partition.find(keys)
            found |= rows >= 0
            names = [name for name in self.features if name in partition.table.column_names]
            taken = partition.table.select(names).take(pa.array(rows, mask=rows < 0))
            columns |= dict(zip(names, taken.columns, strict=True))
        return pa.table({name: columns[name] for name in self.features}), found
