"""Which definition a version scores with: what it was trained as, run as the model is run today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.definitions import ModelDefinition, kept_definition
from modelyard.errors import NotFound
from modelyard.features.registration import registered_definition

if TYPE_CHECKING:
    from modelyard.registry.records import ModelRecord, ModelVersion
    from modelyard.registry.registry import Registry


def scored_definition(registry: Registry, record: ModelRecord, version: ModelVersion) -> ModelDefinition:
    """A version's definition, to be scored with today.

    Data and features are those of the training, by the versions of feature sets that it pins. Population, schedule,
    timezone, and where sources lie that mean what they meant, are those of the model's current revision.

    Args:
        registry: Where all of it is recorded.
        record: The model.
        version: The version.

    Raises:
        NotFound: The version was not made by a run.
        IntegrityError: A record holds no definition.
    """
    trained = trained_definition(registry, version)
    current = current_definition(record)
    sets = {pin.name: registered_definition(registry, pin.name, pin.version) for pin in version.pins.feature_sets}
    changes = {"scoring": current.document.scoring, "timezone": current.document.timezone}
    return trained.model_copy(
        update={
            "document": trained.document.model_copy(update=changes),
            "sources": trained.scored_as(current),
            "feature_sets": sets,
        }
    )


def trained_definition(registry: Registry, version: ModelVersion) -> ModelDefinition:
    """The definition that a version was trained from.

    Raises:
        NotFound: The version was not made by a run.
        IntegrityError: What the run holds is no definition.
    """
    if version.run is None:
        reason = f"version {version.number} of `{version.model}` was not made by a run, so nobody knows its definition"
        raise NotFound(reason, f"modelyard train {version.model} makes one that was")
    return kept_definition(ModelDefinition, registry.run(version.run).spec.get("definition", {}), f"run {version.run}")


def current_definition(record: ModelRecord) -> ModelDefinition:
    """The definition that was applied last.

    Raises:
        IntegrityError: The record holds none.
    """
    return kept_definition(ModelDefinition, record.definition, f"model `{record.name}`")
