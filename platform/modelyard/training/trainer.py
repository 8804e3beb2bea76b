"""One training run, from rows to a judged model: split, fit, evaluate, gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidData
from modelyard.training.construct import Ingredients
from modelyard.training.fitting import OutOfFold, fit, predict_out_of_fold
from modelyard.training.gates import missed_gates
from modelyard.training.identity import library_versions
from modelyard.training.metrics import DEFAULTS, evaluate
from modelyard.training.pipeline import build_pipeline
from modelyard.training.predictions import Predictions
from modelyard.training.splits import folds, hold_out
from modelyard.training.storage.manifest import ModelManifest
from modelyard.training.storage.stored import StoredModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from modelyard.config.definitions import ModelDefinition
    from modelyard.config.kinds.model import Metric
    from modelyard.registry.records import Estimate
    from modelyard.training.rows import Rows
    from modelyard.training.splits import Positions

    Tell = Callable[[str, float], None]
    """Told what is being done, and which part of the run is done."""


@dataclass(frozen=True)
class Judged:
    """A fitted model and how good it is."""

    model: StoredModel
    metrics: dict[str, Estimate]
    """The shown one first."""
    held_out: OutOfFold
    """The rows that gave the metrics, with their predictions; `fold` is -1 where they are the test."""
    out_of_fold: OutOfFold | None
    """The out-of-fold predictions of the training rows, where cross-validation was asked for."""


def train(definition: ModelDefinition, rows: Rows, packages: Mapping[str, str], tell: Tell) -> Judged:
    """Fit and judge a model.

    Args:
        definition: The model.
        rows: Its training set.
        packages: The packages of the imported bundles, by module as pipelines name it.
        tell: Told what is being done.

    Raises:
        InvalidData: The pipeline, the split or the metrics do not fit the data.
    """
    document = definition.document
    ingredients = Ingredients(
        features=rows.features,
        seed=document.seed,
        threads=max(1, int(document.resources.cpu)),
        classes=rows.classes,
        packages=packages,
    )
    pipeline = build_pipeline(definition.pipeline, document.task, ingredients)
    held = hold_out(rows, document.data, seed=document.seed, timezone=definition.timezone)
    out_of_fold = _cross_validate(definition, pipeline, rows, held.train, tell)
    tell(f"fitting on {len(held.train):,} rows", 0.6)
    model = StoredModel(_manifest(definition, rows), fit(pipeline, rows, held.train))
    tell("evaluating", 0.8)
    if len(held.test):
        predicted = model.predict(rows.frame.iloc[held.test])
        judged_by = OutOfFold(held.test, predicted, np.full(len(held.test), -1))
    elif out_of_fold is not None:
        judged_by = out_of_fold
    else:
        reason = "data.split.by is none and there is no evaluation.cross_validation: nothing judges the model"
        raise InvalidData(reason, "add `cross_validation: {}`, or split")
    metrics = judge(definition, rows, judged_by.positions, judged_by.predicted)
    return Judged(model, metrics, judged_by, out_of_fold)


def judge(
    definition: ModelDefinition, rows: Rows, positions: Positions, predicted: npt.NDArray[np.float64]
) -> dict[str, Estimate]:
    """The metrics that a definition asks for, and those of its gates, of predictions for some rows."""
    document = definition.document
    shown: tuple[Metric, ...] = document.evaluation.metrics or DEFAULTS[document.task]
    wanted = dict.fromkeys([*shown, *(gate.metric for gate in document.evaluation.gates)])
    weight = None if rows.weight is None else rows.weight[positions]
    return evaluate(
        Predictions(document.task, rows.label[positions], predicted, weight), list(wanted), seed=document.seed
    )


def check_gates(
    definition: ModelDefinition, rows: Rows, judged: Judged, live: Callable[[], StoredModel | None]
) -> list[str]:
    """The gates that a model does not meet, in words.

    Args:
        definition: The model.
        rows: Its training set.
        judged: What came out.
        live: Loads the live version, if there is one; called only where a gate compares with it.

    Raises:
        InvalidData: The live version needs a feature that these rows do not have.
    """
    gates = definition.document.evaluation.gates
    other = live() if any(gate.within is not None for gate in gates) else None
    if other is None:
        return missed_gates(gates, judged.metrics, None)
    missing = [f"the feature `{name}`" for name in other.features if name not in rows.features]
    task = definition.document.task
    is_other_task = other.manifest.task != task
    has_other_classes = task == "multiclass_classification" and rows.classes != other.classes
    if missing or is_other_task or has_other_classes:
        reason = f"the live version can't be scored on this run's rows: it needs {', '.join(missing) or 'other labels'}"
        raise InvalidData(reason, "compare by at_least until a version that these rows suit is live")
    frame = rows.frame.iloc[judged.held_out.positions][list(other.features)]
    return missed_gates(gates, judged.metrics, judge(definition, rows, judged.held_out.positions, other.predict(frame)))


def predictions_table(rows: Rows, found: OutOfFold) -> Any:
    """Predictions beside what they are about, as an Arrow table.

    Its columns are the row's number in the training set, the entity and the time, where there are such, the label (as a
    number or a class code), the weight, the fold, and `__prediction_0` on.
    """
    import pyarrow as pa

    keys = [name for name in (*rows.entity, rows.roles.get("time")) if name is not None]
    kept = rows.table.select(keys).take(found.positions)
    weight = {} if rows.weight is None else {"__weight": rows.weight[found.positions]}
    predicted = {f"__prediction_{index}": column for index, column in enumerate(np.atleast_2d(found.predicted.T))}
    return pa.table({
        "__row": found.positions,
        **{name: kept.column(name) for name in keys},
        "__label": rows.label[found.positions],
        **weight,
        "__fold": found.fold,
        **predicted,
    })  # fmt: skip


def _cross_validate(
    definition: ModelDefinition, pipeline: Any, rows: Rows, within: Positions, tell: Tell
) -> OutOfFold | None:
    wanted = definition.document.evaluation.cross_validation
    if wanted is None:
        return None
    parts = folds(rows, within, wanted, definition.document.seed)
    return predict_out_of_fold(
        pipeline, rows, definition.document.task, parts, lambda what, part: tell(what, 0.1 + 0.5 * part)
    )


def _manifest(definition: ModelDefinition, rows: Rows) -> ModelManifest:
    return ModelManifest(
        task=definition.document.task,
        features=rows.features,
        entity=rows.entity,
        classes=rows.classes,
        bundles=definition.bundles,
        libraries=library_versions(),
    )
