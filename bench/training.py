"""A training run beside a bare script that does the same work.

    python -m bench.training

Both read the same training set (30,000 rows, 23 columns), split it, fit the same pipeline and compute the same metrics,
each in a fresh process with one thread. The run also queues, watches, computes bootstrap intervals, stores the model,
replays its golden rows and registers the version; how much longer that takes is what counts. Target: under 1.5 s.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Row, print_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings

ROWS, COLUMNS = 30_000, 23
LIMIT = 1.5  # seconds
REPEATS = 5
"""How often each is measured, in turns; the median counts."""

PIPELINES: dict[str, list[dict[str, Any]]] = {
    "logistic": [
        {"use": "sklearn.preprocessing.StandardScaler"},
        {"use": "sklearn.linear_model.LogisticRegression", "with": {"max_iter": 1000}},
    ],
    "LightGBM": [{"use": "lightgbm.LGBMClassifier", "with": {"n_estimators": 100, "num_leaves": 15, "verbosity": -1}}],
}
IMPORTS = {
    "logistic": """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0))
""",
    "LightGBM": """
from lightgbm import LGBMClassifier
model = LGBMClassifier(n_estimators=100, num_leaves=15, verbosity=-1, random_state=0, n_jobs=1)
""",
}
BARE = """
import sys
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
{imports}
frame = pd.read_parquet(sys.argv[1])
label, features = frame["__label"], frame.drop(columns=["id", "__label"])
train, test, known, asked = train_test_split(features, label, test_size=0.2, random_state=0, stratify=label)
chances = model.fit(train, known).predict_proba(test)[:, 1]
print([metric(asked, chances) for metric in (roc_auc_score, average_precision_score, brier_score_loss, log_loss)])
"""


def run() -> list[Row]:
    """Measure a run and a script, for each pipeline."""
    rows = []
    for name in PIPELINES:
        with tempfile.TemporaryDirectory() as folder:
            ours, bare = _measure(name, Path(folder))
        work = f"training run, {name}: seconds more than a script"
        rows.append(Row(work, f"{ours:.2f} s", f"{bare:.2f} s (script)", ours - bare, LIMIT))
    return rows


def _measure(name: str, home: Path) -> tuple[float, float]:
    from modelyard.settings import read_settings

    settings = read_settings(home, {"MODELYARD_HOME": str(home), "MODELYARD_ACTOR": "bench", "MODELYARD_PARALLEL": "1"})
    spec = _spec(name)
    file = _publish(settings, spec)
    script = home / "script.py"
    script.write_text(BARE.format(imports=IMPORTS[name]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ours, bare = [], []
    for attempt in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, str(script), str(file)], check=True, stdout=subprocess.DEVNULL, env=environment)
        bare.append(time.perf_counter() - begun)
        ours.append(_train(settings, spec, again=attempt > 0))
    return statistics.median(ours), statistics.median(bare)


def _train(settings: Settings, spec: RunSpec, *, again: bool) -> float:
    """Seconds from asking for a run to its version being registered and promoted."""
    from modelyard.training.reconcile import Reconciler
    from modelyard.training.requests import plan_run
    from modelyard.wiring import open_datasets, open_launcher, open_registry

    begun = time.perf_counter()
    registry = open_registry(settings)
    planned = plan_run(registry, spec, project="bench", actor="bench", again=again)
    revision = 1 if again else 0
    registry.apply_model(spec.definition.content(), project="bench", expected_revision=revision, run=planned)
    loop = Reconciler(registry, open_launcher(settings), open_datasets(settings), settings)
    (done,) = loop.run_until_done([planned.id]).values()
    if done.version is None:
        raise RuntimeError(done.reason)
    return time.perf_counter() - begun


def _spec(name: str) -> RunSpec:
    from modelyard.canonical import digest
    from modelyard.config.definitions import ModelDefinition
    from modelyard.registry.run_spec import RunSpec

    columns = {"id": "integer", "bad": "integer", **{f"x{index}": "double" for index in range(COLUMNS)}}
    source = {
        "apiVersion": "modelyard/v1",
        "kind": "Source",
        "name": "rows",
        "format": "parquet",
        "path": "rows.parquet",
        "columns": columns,
    }
    document = {
        "apiVersion": "modelyard/v1",
        "kind": "Model",
        "name": "measured",
        "task": "binary_classification",
        "data": {"labels": {"source": "rows", "entity": "id", "label": "bad"}, "features": [{"source": "rows"}]},
        "pipeline": PIPELINES[name],
    }
    content = {"document": document, "pipeline": PIPELINES[name], "sources": {"rows": source}}
    return RunSpec(
        definition=ModelDefinition.model_validate_json(json.dumps(content)),
        as_of=datetime(2026, 7, 1, tzinfo=UTC),
        to=date(2026, 7, 1),
        code=digest("bench"),
        environment=digest("bench"),
    )


def _publish(settings: Settings, spec: RunSpec) -> Path:
    """The training set, published as a run finds it."""
    import pyarrow.parquet as pq

    from modelyard.wiring import open_datasets

    features = {f"x{index}": "number" for index in range(COLUMNS)}
    roles = {"entity": ["id"], "label": "__label", "time": None, "weight": None, "group": None, "features": features}
    datasets = open_datasets(settings)
    with datasets.stage(f"training_sets/{spec.training_set}") as staging:
        pq.write_table(_rows(), staging.path / "rows.parquet")
        manifest = staging.publish("all", details={"roles": roles, "audits": []})
    return Path(datasets.files(manifest)[0])


def _rows() -> pa.Table:
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    columns = {f"x{index}": random.normal(size=ROWS) for index in range(COLUMNS)}
    score = columns["x0"] - columns["x1"] * columns["x2"] + random.normal(size=ROWS)
    return pa.table({"id": np.arange(ROWS), "__label": (score > 1).astype(np.int64), **columns})


if __name__ == "__main__":
    print_rows(run())
