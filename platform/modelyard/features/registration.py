"""Feature sets in the registry: a version for each definition, with its lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.definitions import FeatureSetDefinition, kept_definition
from modelyard.errors import InvalidData, NotFound
from modelyard.features.compile import compile_set, ordered
from modelyard.features.lineage import lineage_of
from modelyard.registry.records import FeatureSetPin

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def registered_definition(registry: Registry, name: str, number: int) -> FeatureSetDefinition:
    """The definition of a registered version; its sources lie where the newest version's lie.

    So it is with every set that it refers to, whatever its own record says of them: their values are theirs to define.

    Raises:
        NotFound: There is no such version, or none of a set that it refers to.
        IntegrityError: Its record holds no definition that can be read.
    """
    version, newest = (
        kept_definition(FeatureSetDefinition, record.definition, f"version {record.number} of feature set `{name}`")
        for record in (registry.feature_set(name, number), registry.feature_set(name))
    )
    pins = [_find(ref, registry) for ref in version.refs.values()]
    refs = {pin.name: registered_definition(registry, pin.name, pin.version) for pin in pins}
    return version.located_as(newest).model_copy(update={"refs": refs})


def pinned_definition(definition: FeatureSetDefinition, pin: FeatureSetPin, registry: Registry) -> FeatureSetDefinition:
    """The registered definition that a pin is about, for whoever was handed a copy of it.

    Raises:
        NotFound: There is no such version.
        InvalidData: The copy is another definition: what is computed by it is not that version's.
    """
    registered = registered_definition(registry, pin.name, pin.version)
    if not definition.digest == registered.digest == pin.digest:
        reason = f"feature set `{definition.name}` is not defined here as version {pin.version} of it is registered"
        raise InvalidData(reason, "apply the project again, and train anew")
    return registered


def find_pins(definitions: Iterable[FeatureSetDefinition], registry: Registry) -> dict[str, FeatureSetPin]:
    """The registered versions of definitions and of all that they refer to; nothing is registered.

    Raises:
        NotFound: A definition has no version.
    """
    return {one.name: _find(one, registry) for one in ordered(tuple(definitions))}


def _find(definition: FeatureSetDefinition, registry: Registry) -> FeatureSetPin:
    version = registry.find_feature_set(definition.name, definition.digest)
    if version is None:
        reason = f"feature set `{definition.name}` is not registered as it is defined"
        raise NotFound(reason, "modelyard apply")
    return FeatureSetPin(name=version.name, version=version.number, digest=version.digest)
