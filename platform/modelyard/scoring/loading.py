"""From a registered version to what predicts with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.kinds.base import as_keys
from modelyard.config.kinds.model import TableFeatures
from modelyard.scoring.definitions import scored_definition
from modelyard.scoring.lookup import Lookup, Partitions, PinnedSet
from modelyard.scoring.runtime import Runtime
from modelyard.scoring.threads import use_threads
from modelyard.training.storage.stored import load_version

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.config.definitions import ModelDefinition
    from modelyard.registry.records import ModelVersion
    from modelyard.registry.registry import Registry
    from modelyard.training.storage.stored import StoredModel

_KEY_KINDS = ("string", "integer")
"""The types of entities' columns that JSON can name without doubt."""


def load_runtime(
    registry: Registry, model: str, number: int, *, cache: Path, partitions: Partitions, allow_bundles: bool = False
) -> Runtime:
    """A registered version, ready to answer requests.

    Args:
        registry: Where it is registered.
        model: The model's name.
        number: The version's number.
        cache: A folder for files that were downloaded.
        partitions: Where features of entities are looked up.
        allow_bundles: Whether the project code that it was trained with may be imported.

    Raises:
        NotFound: There is no such version, or its bytes are gone.
        IntegrityError: Its files are not what was registered, or it predicts its golden rows differently.
        UsageError: It needs project code, which is not allowed here.
        MissingExtra: It needs a library that is not installed.
    """
    stored = load_version(registry, model, number, cache, allow_bundles=allow_bundles)
    use_threads(stored.pipeline, 1)
    version = registry.version(model, number)
    record = registry.model(model)
    definition = scored_definition(registry, record, version)
    pinned = tuple(PinnedSet(definition.feature_sets[pin.name], pin.version) for pin in version.pins.feature_sets)
    return Runtime(model, number, stored, _lookup(definition, stored, pinned, partitions), record.team)


def load_for_batch(
    registry: Registry, version: ModelVersion, *, cache: Path, threads: int, allow_bundles: bool = False
) -> StoredModel:
    """A registered version, ready to score a partition.

    Args:
        registry: Where it is registered.
        version: The version.
        cache: A folder for files that were downloaded.
        threads: How many threads it predicts with.
        allow_bundles: Whether the project code that it was trained with may be imported.

    Raises:
        NotFound: Its bytes are gone.
        IntegrityError: Its files are not what was registered, or it predicts its golden rows differently.
        UsageError: It needs project code, which is not allowed here.
    """
    stored = load_version(registry, version.model, version.number, cache, allow_bundles=allow_bundles)
    use_threads(stored.pipeline, threads)
    return stored


def _lookup(
    definition: ModelDefinition, stored: StoredModel, pinned: tuple[PinnedSet, ...], partitions: Partitions
) -> Lookup:
    refusal = _refusal(definition)
    types = definition.sources[definition.document.data.labels.source].columns
    keys = {} if refusal else {name: types[name] for name in stored.manifest.entity}
    return Lookup(keys, stored.features, pinned, partitions, refusal)


def _refusal(definition: ModelDefinition) -> str:
    """Why features of entities can't be looked up; empty where they can."""
    data = definition.document.data
    labels = data.labels
    tables = [features.source for features in data.features if isinstance(features, TableFeatures)]
    if tables:
        return f"can't be looked up: features of `{definition.name}` come from a plain table, `{tables[0]}`"
    if labels.entity is None:
        return f"can't be looked up: rows of `{definition.name}` have no entity"
    types = definition.sources[labels.source].columns
    strange = [column for column in as_keys(labels.entity) if types[column] not in _KEY_KINDS]
    return f"can't be looked up: `{strange[0]}` is a {types[strange[0]]}" if strange else ""
