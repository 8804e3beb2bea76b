"""What tests of training stand on: a small model over a table of flowers-like rows, its rows, and its run."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.canonical import canonical_json, digest, file_digest
from modelyard.config.definitions import ModelDefinition
from modelyard.registry.run_spec import RunSpec
from modelyard.settings import Settings, read_settings
from modelyard.training.tasks import TrainTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS = {"amount": "number", "channel": "category", "repeat": "boolean"}
TYPES = {"loan_id": "string", "amount": "double", "channel": "string", "repeat": "boolean", "outcome": "integer"}
ENCODED = {
    "columns": {
        "numeric": [{"use": "sklearn.impute.SimpleImputer"}, {"use": "sklearn.preprocessing.StandardScaler"}],
        "categorical": [{"use": "sklearn.preprocessing.OneHotEncoder", "with": {"handle_unknown": "ignore"}}],
    }
}
LOGISTIC = {"use": "sklearn.linear_model.LogisticRegression"}
TODAY = datetime(2026, 7, 1, tzinfo=UTC)


def content(name: str = "loans", *pipeline: dict[str, Any], **document: Any) -> dict[str, Any]:
    """A model's definition, as JSON."""
    steps = list(pipeline) or [ENCODED, LOGISTIC]
    labels = {"source": "loans", "entity": "loan_id", "label": "outcome"}
    model = {
        "apiVersion": "modelyard/v1",
        "kind": "Model",
        "name": name,
        "task": "binary_classification",
        "data": {"labels": labels, "features": [{"source": "loans"}]},
        "pipeline": steps,
        **document,
    }
    source = {
        "apiVersion": "modelyard/v1", "kind": "Source", "name": "loans", "format": "parquet", "path": "loans.parquet",
        "columns": TYPES,
    }  # fmt: skip
    return {"document": model, "pipeline": steps, "sources": {"loans": source}}


def definition(name: str = "loans", *pipeline: dict[str, Any], **document: Any) -> ModelDefinition:
    """A model's definition. Keys of the document are given as in YAML; `data` is merged into the usual one."""
    made = content(name, *pipeline, **{key: value for key, value in document.items() if key not in ("data", "bundles")})
    for part, value in document.get("data", {}).items():
        usual = made["document"]["data"].get(part)
        made["document"]["data"][part] = {**usual, **value} if isinstance(usual, dict) else value
    made["bundles"] = document.get("bundles", {})
    return ModelDefinition.model_validate_json(json.dumps(made))


def table(rows: int = 120, seed: int = 0, classes: int = 2, **more: Any) -> pa.Table:
    """Rows whose outcome hangs on every feature; each feature has gaps."""
    source = np.random.default_rng(seed)
    amount, repeat = source.normal(100, 30, rows), source.random(rows) < 0.5
    channel = source.choice(["app", "ussd", "agent"], rows)
    score = (amount - 100) / 30 + repeat + (channel == "app") + source.normal(0, 0.7, rows)
    gaps = source.random((3, rows)) < 0.05
    return pa.table({
        "loan_id": [f"L{row}" for row in range(rows)],
        "__label": np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])),
        "amount": pa.array(amount, mask=gaps[0]),
        "channel": pa.array(channel, mask=gaps[1]),
        "repeat": pa.array(repeat, mask=gaps[2]),
        **more,
    })  # fmt: skip


def roles(**more: Any) -> dict[str, Any]:
    """What the columns of such rows are."""
    usual = {"entity": ["loan_id"], "label": "__label", "time": None, "weight": None, "group": None, "features": KINDS}
    return {**usual, **more}


def spec(made: ModelDefinition, code: str = "code") -> RunSpec:
    """What a run of a model is asked to do."""
    return RunSpec(definition=made, as_of=TODAY, to=date(2026, 7, 1), code=digest(code), environment=digest("tests"))


def task(folder: Path, made: ModelDefinition, rows: pa.Table | None = None, **more: Any) -> TrainTask:
    """A run's task, with its training set written to a folder."""
    asked = spec(made)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "rows.parquet"
    pq.write_table(table() if rows is None else rows, file)
    usual: Mapping[str, Any] = {
        "run": asked.run_id(1),
        "spec": asked,
        "files": ({"place": str(file), "size": file.stat().st_size, "sha256": file_digest(file)},),
        "training_set_content": digest("rows"),
        "roles": roles(),
        "registry": (folder / "home").as_uri(),
    }
    return TrainTask.model_validate({**usual, **more})


def task_bytes(made: TrainTask) -> bytes:
    """A task as its file holds it."""
    return canonical_json(made.content())


def settings(home: Path, parallel: int = 2) -> Settings:
    """Settings whose home is a folder."""
    environment = {"MODELYARD_HOME": str(home), "MODELYARD_ACTOR": "tests", "MODELYARD_PARALLEL": str(parallel)}
    return read_settings(home, environment)
