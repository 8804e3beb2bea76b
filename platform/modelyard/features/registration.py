"""Feature sets in the registry: a version for each definition, with its lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.features.compile import compile_set, ordered
from modelyard.features.lineage import lineage_of
from modelyard.registry.records import FeatureSetPin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.registry.registry import Registry


def register_feature_sets(
    definitions: Iterable[FeatureSetDefinition], registry: Registry, project: str
) -> dict[str, FeatureSetPin]:
    """Register definitions, and the feature sets that they refer to; what is there already gets no new version.

    If the process dies in between, the rest is registered the next time.

    Returns:
        The version of each, by name.

    Raises:
        InvalidData: A definition does not compile.
    """
    pins: dict[str, FeatureSetPin] = {}
    for definition in ordered(tuple(definitions)):
        lineage = lineage_of(compile_set(definition))
        version = registry.register_feature_set(definition.content(), project=project, lineage=lineage)
        pins[version.name] = FeatureSetPin(name=version.name, version=version.number, digest=version.digest)
    return pins
