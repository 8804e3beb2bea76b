"""What must hold of a Model's features: that they are there, can be found for a label, and have a name each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.checks.catalogue import TIMES, check_column, check_keys
from modelyard.config.kinds.base import as_keys
from modelyard.config.kinds.model import TableFeatures
from modelyard.config.problems import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.checks.catalogue import Catalogue
    from modelyard.config.kinds import Model, Source
    from modelyard.config.problems import FieldPath


def check_features(model: Model, catalogue: Catalogue) -> Iterator[Finding]:
    """Everything that is wrong with a model's features."""
    taken: dict[str, tuple[str, str]] = {}
    for index, features in enumerate(model.data.features):
        path = ("data", "features", index)
        if isinstance(features, TableFeatures):
            what, source = f"the source `{features.source}`", catalogue.sources.get(features.source)
            columns = table_columns(features, model, source) if source else ()
            yield from _check_table(features, model, catalogue, path)
        else:
            what, known = f"the feature set `{features}`", catalogue.feature_sets.get(features)
            columns = (known.features if known else None) or ()
            yield from _check_feature_set(features, model, catalogue, path)
        for column in columns:
            other, whose = taken.setdefault(column.lower(), (column, what))  # to SQL, case makes no other name
            if whose != what or features in model.data.features[:index]:
                yield Finding(
                    path, f"{what} and {whose} both have a column `{other}`", "rename or leave out one of them"
                )


def table_columns(table: TableFeatures, model: Model, source: Source) -> tuple[str, ...]:
    """The columns of a table that are features.

    Args:
        table: What is said of the table.
        model: The model.
        source: The table's source.
    """
    never = _never_features(table, model, source)
    usable = (column for column, kind in source.columns.items() if column not in never and kind not in TIMES)
    return table.columns or tuple(column for column in usable if column not in table.exclude)


def _never_features(table: TableFeatures, model: Model, source: Source) -> dict[str | None, str]:
    labels = model.data.labels
    roles: dict[str | None, str] = dict.fromkeys((source.timestamp, source.available), "a time of the source")
    if table.source == labels.source:
        roles |= {labels.weight: "the weight", labels.timestamp: "the timestamp", labels.label: "the label"}
    return {**roles, **dict.fromkeys(as_keys(labels.entity), "an entity column")}


def _check_feature_set(name: str, model: Model, catalogue: Catalogue, path: FieldPath) -> Iterator[Finding]:
    yield from catalogue.check_name("FeatureSet", name, path)
    if name in model.data.features[: int(path[-1])]:
        yield Finding(path, f"the feature set `{name}` is named twice", "name it once")
    known = catalogue.feature_sets.get(name)
    if known is None:
        return
    keys = as_keys(model.data.labels.entity)
    for column in as_keys(known.document.entity):
        if column not in keys:
            reason = f"the feature set `{name}` is about `{column}`, which is no entity of the labels"
            yield Finding(path, reason, f"`data.labels.entity` is {', '.join(keys) or 'not given'}")
    if model.data.labels.timestamp is None:
        hint = "name the column that says when the prediction would have been made: `data.labels.timestamp`"
        yield Finding(path, f"the values of `{name}` are as of a time, and the labels have no timestamp", hint)


def _check_table(table: TableFeatures, model: Model, catalogue: Catalogue, path: FieldPath) -> Iterator[Finding]:
    source, labels = catalogue.sources.get(table.source), model.data.labels
    yield from catalogue.check_name("Source", table.source, (*path, "source"))
    if table.columns and table.exclude:
        yield Finding((*path, "exclude"), "`columns` says already what is used", "give one of both")
    if source is None:
        return
    yield from _check_columns(table, model, source, path)
    if not table_columns(table, model, source):
        yield Finding(
            path, f"no column of `{table.source}` is left as a feature", "exclude fewer, or name another source"
        )
    if table.source == labels.source:
        return
    if labels.entity is None:
        hint = "name the entity that joins them: `data.labels.entity`"
        yield Finding((*path, "source"), f"the rows of `{table.source}` cannot be found for a label", hint)
    yield from check_keys(labels.entity, source, (*path, "source"))


def _check_columns(table: TableFeatures, model: Model, source: Source, path: FieldPath) -> Iterator[Finding]:
    for index, column in enumerate(table.exclude):
        yield from check_column(column, source, (*path, "exclude", index))
    never = _never_features(table, model, source)
    for index, column in enumerate(table.columns):
        here = (*path, "columns", index)
        yield from check_column(column, source, here)
        if column in never:
            yield Finding(here, f"`{column}` is {never[column]}, which is never a feature", "leave it out")
        elif source.columns.get(column) in TIMES:
            hint = "leave it out, or make a number of it in a feature set"
            yield Finding(here, f"`{column}` is {source.columns[column]}, which no model takes", hint)
