"""What must hold of a pipeline, whether an Architecture's or a Model's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelyard.config.bundles import bundle_name
from modelyard.config.kinds.architecture import Columns, Use
from modelyard.config.kinds.base import DOTTED_NAME
from modelyard.config.problems import Finding, repeated
from modelyard.config.substitution import names_in
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from modelyard.config.kinds import Architecture, Step
    from modelyard.config.problems import FieldPath

OWN_MODULES = ("modelyard.training.rules",)
"""Modelyard's own estimators, which every pipeline may name."""

GROUPS = frozenset({"numeric", "categorical"})


def check_pipeline(
    pipeline: Sequence[Step], modules: Collection[str] | None, path: FieldPath = ()
) -> Iterator[Finding]:
    """Everything that is wrong in a pipeline.

    Args:
        pipeline: Its steps.
        modules: The modules that it may name, as `modelyard.yaml` does; None where they are not known.
        path: Where it is written.
    """
    for index, step in enumerate(pipeline):
        if isinstance(step, Columns):
            yield from _check_groups(step, (*path, index, "columns"))
    if pipeline and isinstance(pipeline[-1], Columns):
        hint = "end with a class that predicts: {use: sklearn.linear_model.LogisticRegression}"
        reason = "the last step must predict, and this one treats columns apart"
        yield Finding((*path, len(pipeline) - 1), reason, hint)
    for inner, used in uses_of(pipeline):
        yield from _check_use(used, (*path, *inner), modules)


def check_architecture(
    architecture: Architecture, used_names: Collection[str], modules: Collection[str] | None
) -> Iterator[Finding]:
    """Parameters that nothing in the pipeline inserts, that would need another one first, or that name no class.

    Args:
        architecture: The architecture.
        used_names: The names that its pipeline inserts.
        modules: The modules that it may name, as `modelyard.yaml` does; None where they are not known.
    """
    for name, value in architecture.parameters.items():
        if name not in used_names:
            hint = f'insert it: "${{{name}}}", or remove it'
            yield Finding(("parameters", name), f"nothing in the pipeline uses `{name}`", hint, at_key=True)
        if names_in(value) & architecture.parameters.keys():
            yield Finding(("parameters", name), "no parameter is inserted into another one", "write the value out")
        for path, used in _within(value, ("parameters", name)):
            yield from _check_use(used, path, modules)


def uses_of(pipeline: Sequence[Step]) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    """Every mapping with `use` in a pipeline, at any depth, with its path."""
    for index, step in enumerate(pipeline):
        if isinstance(step, Use):
            yield from _within(step.content(), (index,))
            continue
        for group, inner in step.columns.items():
            for position, used in enumerate(inner if isinstance(inner, tuple) else ()):
                yield from _within(used.content(), (index, "columns", group, position))


def _within(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    if isinstance(value, dict) and "use" in value:
        yield path, value
    parts: Iterable[tuple[str | int, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, part in parts:
        yield from _within(part, (*path, key))


def modules_used(pipeline: Sequence[Step], modules: Collection[str]) -> list[str]:
    """The allowed modules that a pipeline names."""
    names = [str(used["use"]) for _, used in uses_of(pipeline)]
    return [module for module in modules if any(_lies_in(name, module) for name in names)]


def _lies_in(name: str, module: str) -> bool:
    return name.startswith(f"{bundle_name(module)}.")


def _check_use(used: dict[str, Any], path: FieldPath, modules: Collection[str] | None) -> Iterator[Finding]:
    for key in used.keys() - {"use", "with"}:
        hint = f"its arguments belong below `with`: with: {{{key}: …}}"
        yield Finding((*path, key), f"`{key}` stands beside `use`", hint, at_key=True)
    if not isinstance(used.get("with", {}), dict):
        yield Finding((*path, "with"), "the arguments are no mapping (`key: value`)", "as with: {C: 1.0}")
    name = used["use"]
    if not isinstance(name, str) or not _is_dotted(name):
        if "${" not in str(name):  # a parameter is checked where a model gives it a value
            yield Finding((*path, "use"), f"`{name}` is not a class by its module", "as sklearn.svm.SVC")
    elif modules is not None and not any(_lies_in(name, module) for module in (*modules, *OWN_MODULES)):
        allowed = [bundle_name(module) for module in modules]
        hint = near_miss(name.split(".")[0], allowed, what="add its module to `modules` in modelyard.yaml, which has")
        yield Finding((*path, "use"), f"`{name}` is in no module that this project allows", hint)


def _check_groups(step: Columns, path: FieldPath) -> Iterator[Finding]:
    named = {group: columns_in(group) for group in step.columns}
    for column in repeated(column for columns in named.values() for column in columns):
        last = [group for group, columns in named.items() if column in columns][-1]
        yield Finding((*path, last), f"`{column}` is named twice", "a column is in one group", at_key=True)
    for group, columns in named.items():
        if not all(columns):
            yield Finding((*path, group), f"`{group}` names an empty column", "as `age, income`", at_key=True)


def columns_in(group: str) -> list[str]:
    """The columns of a group: itself for `numeric` and `categorical`, else the names between its commas."""
    return [column.strip() for column in group.split(",")] if group not in GROUPS else [group]


def _is_dotted(name: str) -> bool:
    return re.fullmatch(DOTTED_NAME, name) is not None
