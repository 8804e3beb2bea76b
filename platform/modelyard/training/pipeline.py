"""From the steps of a definition to a scikit-learn pipeline, not yet fitted.

Columns keep their names from step to step, so that a later step, a rule or an explanation can speak of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelyard.config.kinds.architecture import Columns, Use
from modelyard.errors import InvalidData
from modelyard.near_miss import near_miss
from modelyard.training.construct import Ingredients, build_use
from modelyard.training.modules import allowed_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sklearn.pipeline import Pipeline

    from modelyard.config.kinds.architecture import Step
    from modelyard.config.kinds.model import Task

KINDS_OF_GROUP = {"numeric": ("number", "boolean"), "categorical": ("category",)}
"""The groups that a `columns` step knows without naming columns."""


def build_pipeline(steps: Sequence[Step], task: Task, ingredients: Ingredients) -> Pipeline:
    """The pipeline that a definition's steps describe.

    Args:
        steps: The steps, parameters put in.
        task: What the last step has to predict.
        ingredients: What it is made with.

    Raises:
        InvalidData: A class, an argument or a column is unknown, or a step can't stand where it does.
        MissingExtra: A class's library is not installed.
    """
    from sklearn.pipeline import Pipeline

    made = [_build_step(step, index, ingredients) for index, step in enumerate(steps)]
    _check_roles(steps, made, task)
    if any(module is not None and module.plain_names for module in map(allowed_module, _names(steps[-1]))):
        from modelyard.training.names import PlainNames

        made.insert(-1, PlainNames())
    pipeline = Pipeline([(f"{type(step).__name__.lower()}_{index}", step) for index, step in enumerate(made)])
    if not any(name.startswith("sklearn.feature_extraction") for step in steps for name in _names(step)):
        _keep_names([step for _, step in pipeline.steps[:-1]])  # text becomes sparse matrices, which have no names
    return pipeline


def _build_step(step: Step, index: int, ingredients: Ingredients) -> Any:
    path = f"pipeline[{index}]"
    if isinstance(step, Use):
        return build_use(step, path, ingredients)
    if index > 0:
        reason = f"{path}.columns: only the first step can treat columns apart"
        raise InvalidData(reason, "later steps see what the first one made of them")
    return _build_columns(step, path, ingredients)


def _build_columns(step: Columns, path: str, ingredients: Ingredients) -> Any:
    from sklearn.compose import ColumnTransformer

    groups = _groups(step, path, ingredients)
    transformers: list[tuple[str, Any, list[str] | str]] = []
    for key, content in step.columns.items():
        if groups[key]:
            made = content if isinstance(content, str) else _build_group(content, f"{path}.columns.{key}", ingredients)
            transformers.append((f"group_{len(transformers)}", made, _selection(made, groups[key])))
    if not transformers and step.remainder == "drop":
        reason = f"{path}.columns: the model has no column for any of {', '.join(f'`{key}`' for key in step.columns)}"
        raise InvalidData(reason, "name columns that its features have, or set `remainder: passthrough`")
    return ColumnTransformer(transformers, remainder=step.remainder, verbose_feature_names_out=False)


def _groups(step: Columns, path: str, ingredients: Ingredients) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    taken: set[str] = set()
    for key in (key for key in step.columns if key not in KINDS_OF_GROUP):
        columns = [key] if key in ingredients.features else [column.strip() for column in key.split(",")]
        for column in columns:
            if column not in ingredients.features:
                reason = f"{path}.columns: the model has no feature `{column}`"
                raise InvalidData(reason, near_miss(column, ingredients.features, what="its features"))
            if column in taken:
                reason = f"{path}.columns: `{column}` is named in two groups"
                raise InvalidData(reason, "name it in one of them")
            taken.add(column)
        named[key] = columns
    by_kind = {
        key: [column for column, kind in ingredients.features.items() if kind in kinds and column not in taken]
        for key, kinds in KINDS_OF_GROUP.items()
    }
    return named | by_kind


def _build_group(uses: Sequence[Use], path: str, ingredients: Ingredients) -> Any:
    from sklearn.pipeline import Pipeline

    made = [build_use(use, f"{path}[{index}]", ingredients) for index, use in enumerate(uses)]
    if len(made) == 1:
        return made[0]
    return Pipeline([(f"{type(step).__name__.lower()}_{index}", step) for index, step in enumerate(made)])


def _selection(made: Any, columns: list[str]) -> list[str] | str:
    """Columns as a frame; one column alone as a series, where the first step reads texts."""
    from sklearn.utils import get_tags

    first = made.steps[0][1] if hasattr(made, "steps") else made
    reads_texts = hasattr(first, "__sklearn_tags__") and not get_tags(first).input_tags.two_d_array
    return columns[0] if reads_texts and len(columns) == 1 else columns


def _check_roles(steps: Sequence[Step], made: Sequence[Any], task: Task) -> None:
    for index, step in enumerate(made[:-1]):
        if not hasattr(step, "transform"):
            reason = f"pipeline[{index}]: `{_title(steps[index])}` does not transform, and is not the last step"
            raise InvalidData(reason, "only the last step predicts")
    needed, hint = (
        ("predict", "name a regressor")
        if task == "regression"
        else ("predict_proba", "name a classifier with probabilities, or put it into CalibratedClassifierCV")
    )
    if not hasattr(made[-1], needed):
        reason = f"pipeline[{len(made) - 1}]: `{_title(steps[-1])}` has no {needed}, which {task} needs"
        raise InvalidData(reason, hint)


def _keep_names(transformers: Sequence[Any]) -> None:
    for transformer in transformers:
        # A step of the project's own that does not know set_output names its columns itself, or not at all.
        with suppress(AttributeError, ValueError):
            transformer.set_output(transform="pandas")


def _names(step: Step) -> Iterator[str]:
    """Every class that a step names, at any depth."""
    yield from _names_in(step.content())


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("use"), str):
            yield value["use"]
        for item in value.values():
            yield from _names_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names_in(item)


def _title(step: Step) -> str:
    return step.use if isinstance(step, Use) else "columns"
