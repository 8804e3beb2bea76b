"""Small models, trained and registered by the real training task."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from modelyard.canonical import canonical_json, digest
from modelyard.config.definitions import ModelDefinition
from modelyard.training.requests import plan_run
from modelyard.training.run_task import run_task
from tests.registry.making import begin
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import FeatureSetPin

FOREST = {"use": "sklearn.ensemble.RandomForestClassifier", "with": {"n_estimators": 5, "max_depth": 3}}
LINEAR = {"use": "sklearn.linear_model.LinearRegression"}


def loans(name: str = "loans", last: dict[str, Any] | None = None, **document: Any) -> dict[str, Any]:
    """The content of a model over a plain table of loans, by its last step."""
    return yard.content(name, yard.ENCODED, last or yard.LOGISTIC, **document)


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
    table = yard.table() if table is None else table
    made = ModelDefinition.model_validate_json(canonical_json(definition))
    asked = {"feature_sets": tuple(feature_sets), "code": digest(attempt), "as_of": yard.TODAY - timedelta(days=1)}
    spec = yard.spec(made).model_copy(update=asked)
    run = plan_run(registry, spec, project="tests", actor="tests")
    begin(registry, run)
    entity = [name for name in table.column_names if not name.startswith("__") and name not in yard.KINDS]
    task = yard.task(folder / run.id, made, table, run=run.id, spec=spec, roles=yard.roles(entity=entity))
    outcome = run_task(task, registry, folder / run.id)
    assert outcome.version is not None, outcome.reason
    return outcome.version
