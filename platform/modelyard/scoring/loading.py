"""From a registered version to what predicts with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from modelyard.canonical import canonical_json
from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
from modelyard.config.kinds.model import TableFeatures
from modelyard.errors import IntegrityError, NotFound
from modelyard.scoring.lookup import Lookup, Partitions, PinnedSet
from modelyard.scoring.runtime import Runtime
from modelyard.scoring.threads import use_threads
from modelyard.training.storage.stored import StoredModel, load_version

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.records import ModelVersion
    from modelyard.registry.registry import Registry

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
    definition = trained_definition(registry, version)
    return Runtime(model, number, stored, _lookup(definition, stored, pinned_sets(registry, version), partitions))


def trained_definition(registry: Registry, version: ModelVersion) -> ModelDefinition:
    """The definition that a version was trained from.

    Raises:
        NotFound: The version was not made by a run.
        IntegrityError: What the run holds is no definition.
    """
    if version.run is None:
        reason = f"version {version.number} of `{version.model}` was not made by a run, so nobody knows its definition"
        raise NotFound(reason, f"modelyard train {version.model} makes one that was")
    try:
        return ModelDefinition.model_validate_json(canonical_json(registry.run(version.run).spec["definition"]))
    except (ValidationError, KeyError) as error:
        reason = f"the run {version.run} holds no definition that this version of Modelyard reads: {error}"
        raise IntegrityError(reason) from error


def pinned_sets(registry: Registry, version: ModelVersion) -> tuple[PinnedSet, ...]:
    """The feature sets that a version pins, as they were then."""
    pins = version.pins.feature_sets
    contents = [registry.feature_set(pin.name, pin.version).definition for pin in pins]
    return tuple(
        PinnedSet(FeatureSetDefinition.model_validate_json(canonical_json(content)), pin.version)
        for pin, content in zip(pins, contents, strict=True)
    )


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
    columns = (labels.entity,) if isinstance(labels.entity, str) else labels.entity
    types = definition.sources[labels.source].columns
    strange = [column for column in columns if types[column] not in _KEY_KINDS]
    return f"can't be looked up: `{strange[0]}` is a {types[strange[0]]}" if strange else ""
