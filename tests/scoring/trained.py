"""Small models, trained and registered by the real training task."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.canonical import canonical_json, digest
from modelyard.config.definitions import ModelDefinition
from modelyard.registry.records import Run, RunState
from modelyard.training.run_task import run_task
from modelyard.training.spec import RunSpec, TrainTask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import FeatureSetPin

KINDS = {"amount": "number", "channel": "category", "repeat": "boolean"}
TYPES = {"loan_id": "string", "amount": "double", "channel": "string", "repeat": "boolean", "outcome": "integer"}
UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1, "encoded_missing_value": -2}
COLUMNS = {
    "columns": {
        "numeric": [{"use": "sklearn.impute.SimpleImputer"}],
        "categorical": [{"use": "sklearn.preprocessing.OrdinalEncoder", "with": UNKNOWN}],
    }
}
LOGISTIC = {"use": "sklearn.linear_model.LogisticRegression", "with": {"max_iter": 1000}}
FOREST = {"use": "sklearn.ensemble.RandomForestClassifier", "with": {"n_estimators": 5, "max_depth": 3}}
LINEAR = {"use": "sklearn.linear_model.LinearRegression"}


def loans(name: str = "loans", last: dict[str, Any] | None = None, **document: Any) -> dict[str, Any]:
    """The content of a model over a plain table of loans."""
    pipeline = [COLUMNS, last or LOGISTIC]
    labels = {"source": "loans", "entity": "loan_id", "label": "outcome", "positive": 1}
    return {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "Model",
            "name": name,
            "task": "binary_classification",
            "data": {"labels": labels, "features": [{"source": "loans"}]},
            "pipeline": pipeline,
            **document,
        },
        "pipeline": pipeline,
        "sources": {
            "loans": {
                "apiVersion": "modelyard/v1",
                "kind": "Source",
                "name": "loans",
                "format": "parquet",
                "path": "loans.parquet",
                "columns": TYPES,
            }
        },
    }


def training_set(rows: int = 80, classes: int = 2, seed: int = 0) -> pa.Table:
    """Rows whose outcome hangs on all features; every feature has gaps."""
    random = np.random.default_rng(seed)
    amount = random.normal(100, 30, rows)
    repeat = random.random(rows) < 0.5
    score = amount / 30 + repeat + random.normal(0, 0.3, rows)
    outcome = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    gap = random.random((3, rows)) < 0.05
    return pa.table({
        "loan_id": [f"L{row}" for row in range(rows)],
        "__label": outcome,
        "amount": pa.array(amount, mask=gap[0]),
        "channel": pa.array(random.choice(["ussd", "app"], rows), mask=gap[1]),
        "repeat": pa.array(repeat, mask=gap[2]),
    })  # fmt: skip


def train(
    registry: LocalRegistry,
    folder: Path,
    definition: dict[str, Any],
    *,
    table: pa.Table | None = None,
    feature_sets: Sequence[FeatureSetPin] = (),
    attempt: int = 1,
) -> int:
    """Run a training task; the number of the version that it registered."""
    table = training_set() if table is None else table
    spec = RunSpec(
        definition=ModelDefinition.model_validate_json(canonical_json(definition)),
        as_of=datetime(2026, 7, 1, tzinfo=UTC),
        to=date(2026, 7, 1),
        feature_sets=tuple(feature_sets),
        code=digest(attempt),
        environment=digest("tests"),
    )
    run = Run(
        id=spec.run_id(1),
        model=spec.definition.name,
        project="tests",
        team=spec.definition.owner,
        request=spec.request,
        attempt=1,
        spec=spec.content(),
        state=RunState.QUEUED,
        created_at=spec.as_of,
        created_by="tests",
    )
    registry.queue_run(run)
    own = folder / run.id
    own.mkdir(parents=True)
    pq.write_table(table, own / "rows.parquet")
    entity = [name for name in table.column_names if not name.startswith("__") and name not in KINDS]
    task = TrainTask(
        run=run.id,
        spec=spec,
        files=(str(own / "rows.parquet"),),
        training_set_content=digest("rows"),
        roles={"entity": entity, "label": "__label", "time": None, "weight": None, "group": None, "features": KINDS},
        registry="file:///nowhere",
    )
    outcome = run_task(task, registry, own)
    assert outcome.version is not None, outcome.reason
    return outcome.version
