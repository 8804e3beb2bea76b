"""What must hold of a Model: its labels, its pipeline, its population; the rest lies in the files beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.checks.catalogue import (
    NUMBERS,
    TIMES,
    Catalogue,
    check_column,
    check_keys,
    check_sql,
    columns_of,
)
from modelyard.config.checks.evaluation import check_evaluation, check_split
from modelyard.config.checks.model_features import check_features
from modelyard.config.checks.pipelines import check_pipeline
from modelyard.config.cron import check_cron
from modelyard.config.kinds.base import as_keys
from modelyard.config.problems import Finding
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.kinds import Model, Source
    from modelyard.config.kinds.base import Scalar

LABEL_TYPES = {
    "binary_classification": frozenset({"string", "integer", "double", "boolean"}),
    "multiclass_classification": frozenset({"string", "integer", "boolean"}),
    "regression": NUMBERS,
}
VALUE_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "double": (int, float),
    "boolean": (bool,),
}


def check_model(model: Model, catalogue: Catalogue) -> Iterator[Finding]:
    """Everything that is wrong within a model, and with what it names.

    Args:
        model: The model: expanded, everything inserted.
        catalogue: The documents that it may name.
    """
    labels = catalogue.sources.get(model.data.labels.source)
    yield from catalogue.check_name("Source", model.data.labels.source, ("data", "labels", "source"))
    yield from _check_labels(model, labels)
    yield from _check_target(model, labels)
    yield from _check_period(model)
    yield from check_split(model, labels)
    yield from check_features(model, catalogue)
    yield from _check_choice_of_pipeline(model, catalogue)
    yield from check_evaluation(model, labels)
    yield from _check_scoring(model, catalogue)


def _check_labels(model: Model, source: Source | None) -> Iterator[Finding]:
    labels, path = model.data.labels, ("data", "labels")
    yield from check_keys(labels.entity, source, (*path, "entity"))
    yield from check_column(labels.timestamp, source, (*path, "timestamp"), types=TIMES, role="a timestamp")
    yield from check_column(
        labels.label, source, (*path, "label"), types=LABEL_TYPES[model.task], role=f"a label for {model.task}"
    )
    yield from check_column(labels.weight, source, (*path, "weight"), types=NUMBERS, role="a weight")
    yield from check_sql(labels.where, columns_of(source), (*path, "where"))
    if labels.delay is not None and labels.timestamp is None:
        yield Finding((*path, "delay"), "a delay counts from the labels' `timestamp`, and there is none", "name it")
    if labels.label in (*as_keys(labels.entity), labels.timestamp, labels.weight):
        yield Finding(
            (*path, "label"), f"`{labels.label}` is what is predicted, and has another role here", "name another column"
        )


def _check_target(model: Model, source: Source | None) -> Iterator[Finding]:
    labels, path = model.data.labels, ("data", "labels")
    binary, several = model.task == "binary_classification", model.task == "multiclass_classification"
    if binary and labels.positive is None:
        hint = "name the label's value that counts as the event: `positive: 1`"
        yield Finding((*path, "positive"), "binary classification needs `positive`", hint)
    if not binary and labels.positive is not None:
        yield Finding((*path, "positive"), f"`positive` is for binary classification, not {model.task}", "remove it")
    if labels.classes and not several:
        hint = "remove it, or set `task: multiclass_classification`"
        yield Finding((*path, "classes"), f"`classes` is for multiclass classification, not {model.task}", hint)
    kind = source.columns.get(labels.label) if source else None
    if binary and labels.positive is not None and kind in VALUE_TYPES and not _is_value(labels.positive, kind):
        reason = f"`{labels.positive}` is no value of `{labels.label}`, which is {kind}"
        yield Finding((*path, "positive"), reason, "text has quotes; numbers, true and false have none")


def _is_value(value: Scalar, kind: str) -> bool:
    return isinstance(value, VALUE_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _check_period(model: Model) -> Iterator[Finding]:
    data = model.data
    if data.labels.timestamp is None:
        for key, day in (("from", data.from_), ("to", data.to)):
            if day is not None:
                yield Finding(
                    ("data", key), "labels without a `timestamp` have no days", "name the timestamp, or remove it"
                )
    if data.from_ and data.to and data.from_ >= data.to:
        yield Finding(
            ("data", "to"), f"the labels end on {data.to}, before they begin on {data.from_}", "exchange them"
        )


def _check_choice_of_pipeline(model: Model, catalogue: Catalogue) -> Iterator[Finding]:
    if model.architecture is None:
        if not model.pipeline:
            yield Finding((), "the model has no pipeline", "name an `architecture`, or write a `pipeline`")
        if model.with_:
            yield Finding(
                ("with",), "`with` is for an architecture's parameters", "write values into the pipeline", at_key=True
            )
        yield from check_pipeline(model.pipeline, catalogue.modules, ("pipeline",))
        return
    if model.pipeline:
        hint = "keep `architecture` or `pipeline`"
        yield Finding(("pipeline",), "the model has an architecture as well", hint, at_key=True)
    yield from catalogue.check_name("Architecture", model.architecture, ("architecture",))
    architecture = catalogue.architectures.get(model.architecture)
    parameters = architecture.parameters if architecture else model.with_
    for name in model.with_:
        if name not in parameters:
            hint = near_miss(name, parameters, what="it has")
            reason = f"the architecture `{model.architecture}` has no parameter `{name}`"
            yield Finding(("with", name), reason, hint, at_key=True)


def _check_scoring(model: Model, catalogue: Catalogue) -> Iterator[Finding]:
    if model.scoring is None:
        return
    path, population = ("scoring", "population"), model.scoring.population
    wrong = check_cron(model.scoring.schedule)
    if wrong:
        yield Finding(("scoring", "schedule"), f"no schedule: {wrong}", "minute, hour, day, month, weekday: 0 4 * * *")
    source = catalogue.sources.get(population.source)
    yield from catalogue.check_name("Source", population.source, (*path, "source"))
    yield from check_keys(population.entity, source, (*path, "entity"))
    yield from check_sql(population.where, columns_of(source), (*path, "where"))
    keys = as_keys(model.data.labels.entity)
    if set(as_keys(population.entity)) != set(keys):
        reason = "the population's entity is another one than the labels'"
        yield Finding((*path, "entity"), reason, f"`data.labels.entity` is {', '.join(keys) or 'not given'}")
