"""What must hold of a Model's split, metrics and gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from modelyard.config.checks.catalogue import check_column
from modelyard.config.checks.model_features import table_columns
from modelyard.config.kinds.base import as_keys
from modelyard.config.kinds.model import Metric, TableFeatures
from modelyard.config.problems import Finding
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.kinds import Model, Source
    from modelyard.config.kinds.model import Gate, Split
    from modelyard.config.problems import FieldPath

_OF_NUMBERS = ("rmse", "mae", "r2")
_OF_CLASSES = tuple(metric for metric in get_args(Metric) if metric not in _OF_NUMBERS)
METRICS: dict[str, tuple[str, ...]] = {
    "binary_classification": _OF_CLASSES,
    "multiclass_classification": _OF_CLASSES,
    "regression": _OF_NUMBERS,
}
"""The metrics that fit each task."""

ONLY_FOR = {"test_from": "time", "embargo": "time", "group": "group"}
"""Settings of a split, and the way of splitting that they are for."""


def check_split(model: Model, labels: Source | None) -> Iterator[Finding]:
    """A split that contradicts itself, or that the labels cannot be split by."""
    split, data, path = model.data.split, model.data, ("data", "split")
    if split is None:
        return
    if split.by == "time" and data.labels.timestamp is None:
        hint = "name `data.labels.timestamp`, or split at random"
        yield Finding((*path, "by"), "labels without a timestamp cannot be split by time", hint)
    for key, by in ONLY_FOR.items():
        if getattr(split, key) is not None and split.by != by:
            hint = f"remove it, or set `by: {by}`"
            yield Finding((*path, key), f"`{key}` is for a split by {by}, and this one is by {split.by}", hint)
    if split.by == "none" and model.evaluation.cross_validation is None:
        hint = "set `evaluation.cross_validation`, or hold rows out"
        yield Finding((*path, "by"), "without a test, cross-validation alone can judge, and there is none", hint)
    yield from _check_test(split, path)
    if split.test_from and not (data.from_ or split.test_from) <= split.test_from < (data.to or split.test_from.max):
        reason = f"{split.test_from} is not between the first and the last day of the labels"
        yield Finding((*path, "test_from"), reason, "a day after `data.from` and before `data.to`")
    if split.by == "group" and split.group is None and data.labels.entity is None:
        yield Finding((*path, "by"), "there is nothing to group by", "name the `group`, or `data.labels.entity`")
    yield from check_column(split.group, labels, (*path, "group"))


def _check_test(split: Split, path: FieldPath) -> Iterator[Finding]:
    if "test" in split.model_fields_set and split.test_from is not None:
        yield Finding((*path, "test"), "`test_from` says already which rows are the test", "give one of both")
    if "test" in split.model_fields_set and split.by == "none":
        yield Finding((*path, "test"), "`by: none` holds no rows out", "remove it, or choose another way to split")


def check_evaluation(model: Model, labels: Source | None) -> Iterator[Finding]:
    """Metrics that do not fit the task, gates that ask for nothing or for two things, and folds without a group."""
    evaluation = model.evaluation
    for index, metric in enumerate(evaluation.metrics):
        path = ("evaluation", "metrics", index)
        if metric in evaluation.metrics[:index]:
            yield Finding(path, f"`{metric}` is named twice", "name it once")
        yield from _check_metric(metric, model.task, path)
    for index, gate in enumerate(evaluation.gates):
        path = ("evaluation", "gates", index)
        yield from _check_metric(gate.metric, model.task, (*path, "metric"))
        yield from _check_gate(gate, path)
    yield from _check_folds(model, labels)


def _check_folds(model: Model, labels: Source | None) -> Iterator[Finding]:
    folds, split, path = (
        model.evaluation.cross_validation,
        model.data.split,
        ("evaluation", "cross_validation", "group"),
    )
    if folds is None or folds.group is None:
        return
    yield from check_column(folds.group, labels, path)
    if split is None or split.group in (None, folds.group) or labels is None:
        return
    # Beside the entity and the features, a row keeps one column to group by.
    tables = (features for features in model.data.features if isinstance(features, TableFeatures))
    kept = {column for table in tables if table.source == labels.name for column in table_columns(table, model, labels)}
    if not {split.group, folds.group} & {*kept, *as_keys(model.data.labels.entity)}:
        hint = "group both by one column, or use one of them as a feature"
        yield Finding(path, f"the split is grouped by another column, `{split.group}`", hint)


def _check_metric(metric: str, task: str, path: FieldPath) -> Iterator[Finding]:
    if metric not in METRICS[task]:
        yield Finding(path, f"`{metric}` does not fit {task}", near_miss(metric, METRICS[task], what="these do"))


def _check_gate(gate: Gate, path: FieldPath) -> Iterator[Finding]:
    given = [key for key in ("at_least", "at_most", "within") if getattr(gate, key) is not None]
    if not given:
        hint = "at_least: 0.7, or at_most: 0.2, or within: 0.01, of: live"
        yield Finding(path, "the gate asks for nothing", hint)
    if len(given) > 1:
        yield Finding((*path, given[1]), f"the gate asks for `{given[0]}` as well", "write a gate for each")
    if given == ["within"] and gate.of is None:
        yield Finding((*path, "within"), "`within` compares with another version", "add `of: live`")
    if gate.of is not None and "within" not in given:
        yield Finding(
            (*path, "of"), "`of` is for `within`", "remove it, or say how much worse is good enough: `within`"
        )
