"""Which features a model has, where each comes from, and what kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.config.kinds.base import as_keys
from modelyard.config.kinds.model import TableFeatures
from modelyard.errors import InvalidData
from modelyard.features.compile import compile_set
from modelyard.features.partitions import KINDS
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
    from modelyard.config.kinds import Source


@dataclass(frozen=True)
class SetFeatures:
    """Features that a feature set computes."""

    definition: FeatureSetDefinition
    names: tuple[str, ...]


@dataclass(frozen=True)
class ColumnFeatures:
    """Columns of a plain table."""

    source: Source
    names: tuple[str, ...]
    same_row: bool
    """Whether they are of the label's own row; else they are of the entity's latest row."""

    @property
    def kinds(self) -> dict[str, str]:
        """What each column is to a model."""
        return {name: KINDS[self.source.columns[name]] for name in self.names}


def entity_of(definition: ModelDefinition) -> tuple[str, ...]:
    """The columns that say whom a row is about; none where rows are about nobody."""
    return as_keys(definition.document.data.labels.entity)


def features_of(definition: ModelDefinition) -> list[SetFeatures | ColumnFeatures]:
    """The features of a model, in the order in which it names them.

    Raises:
        InvalidData: Two have one name, or a column cannot be a feature.
    """
    found: list[SetFeatures | ColumnFeatures] = []
    for named in definition.document.data.features:
        if isinstance(named, TableFeatures):
            found.append(_of_table(definition, named))
        else:
            feature_set = definition.feature_sets[named]
            _check_entity(definition, feature_set)
            found.append(SetFeatures(feature_set, compile_set(feature_set).features))
    _check_names(definition, found)
    return found


def _of_table(definition: ModelDefinition, table: TableFeatures) -> ColumnFeatures:
    source, labels = definition.sources[table.source], definition.document.data.labels
    same_row = table.source == labels.source
    place = f"model `{definition.name}`: source `{source.name}`"
    never = {*entity_of(definition), source.timestamp, source.available}
    never |= {labels.label, labels.timestamp, labels.weight} if same_row else set()
    for column in (*table.columns, *table.exclude):
        if column not in source.columns:
            reason = f"{place} has no column `{column}`"
            raise InvalidData(reason, near_miss(column, source.columns, what="its columns"))
    for column in table.columns:
        if column in never or source.columns[column] not in KINDS:
            reason = f"{place}: `{column}` is a key, a time, the label or its weight, which are never features"
            raise InvalidData(reason, "leave it out")
    usable = [column for column, kind in source.columns.items() if column not in never and kind in KINDS]
    names = table.columns or tuple(column for column in usable if column not in table.exclude)
    if not same_row and not entity_of(definition):
        reason = f"{place} is joined on the entity, and the labels name none"
        raise InvalidData(reason, "name it: data.labels.entity")
    return ColumnFeatures(source, names, same_row)


def _check_entity(definition: ModelDefinition, feature_set: FeatureSetDefinition) -> None:
    for key in feature_set.entity:
        if key not in entity_of(definition):
            reason = (
                f"model `{definition.name}`: the feature set `{feature_set.name}` is of `{key}`, the labels are not"
            )
            raise InvalidData(reason, f"their entity is {', '.join(entity_of(definition)) or 'not named'}")


def _check_names(definition: ModelDefinition, found: list[SetFeatures | ColumnFeatures]) -> None:
    taken = {key.lower() for key in entity_of(definition)}
    for name in _names(found):
        if name.lower() in taken:
            reason = f"model `{definition.name}`: two of its columns have the name `{name}`"
            raise InvalidData(reason, "rename a feature, or leave a column out")
        taken.add(name.lower())  # to SQL they are the same name


def _names(found: list[SetFeatures | ColumnFeatures]) -> Iterator[str]:
    for features in found:
        yield from features.names
