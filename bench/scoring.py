"""Batch scoring beside a bare script that reads the same Parquet file, predicts and writes Parquet.

    python -m bench.scoring

A million rows of twenty features, a forest and LightGBM, each in a fresh process with all cores. Ours also joins
the features to a population, loads a verified model and replays its golden rows, audits what it wrote and publishes it.
Counted is the work after imports. Target: at least 90 % of the bare script's rows per second.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Row, print_rows

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry

ROWS, TRAINED_ON, FEATURES = 1_000_000, 20_000, 20
TARGET = 0.9
REPEATS = 3
"""How often each is measured, in turns; the best counts, which other work on the machine disturbs least."""

DAY = date(2026, 7, 1)
START = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = [f"f{number}" for number in range(FEATURES)]
MODELS: dict[str, dict[str, Any]] = {
    "forest": {
        "use": "sklearn.ensemble.RandomForestClassifier",
        "with": {"n_estimators": 100, "min_samples_leaf": 20},
    },
    "lightgbm": {"use": "lightgbm.LGBMClassifier", "with": {"n_estimators": 200, "verbosity": -1}},
}


def run() -> list[Row]:
    """Measure both, for each model."""
    rows = []
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), name)
            found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
            for _ in range(REPEATS):
                for who, results in found.items():
                    results.append(_measured(Path(folder), who))
        ours, bare = (min(one["seconds"] for one in results) for results in found.values())
        memory = [max(one["mebibytes"] for one in results) for results in found.values()]
        rows.append(
            Row(
                f"batch scoring of {ROWS:,} rows, {name}",
                f"{ROWS / ours / 1000:,.0f} k rows/s, {memory[0]:,.0f} MiB",
                f"bare script {ROWS / bare / 1000:,.0f} k rows/s, {memory[1]:,.0f} MiB",
                bare / ours,
                TARGET,
                more_is_better=True,
            )
        )
    return rows


def _measured(folder: Path, who: str) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.scoring", who, str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


# What both need -------------------------------------------------------------------------------------------------------


def prepare(folder: Path, name: str) -> None:
    """Make features, a population, and a trained version; the bare script gets the same model, pickled."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    who = pa.array([f"E{number:07}" for number in range(ROWS)])
    columns = {column: random.normal(size=ROWS) for column in NAMES}
    pq.write_table(pa.table({"entity": who}), folder / "people.parquet")
    table = pa.table({"entity": who, "as_of": pa.repeat(pa.scalar(START, pa.timestamp("us", "UTC")), ROWS), **columns})
    registry, datasets, _ = _opened(folder)
    number = registry.register_feature_set(_FEATURE_SET, project="bench", lineage={}).number
    with datasets.stage(f"features/measures/{number}") as staging:
        pq.write_table(table, staging.path / "part-0.parquet", compression="zstd")
        details = {"instants": [START.isoformat()], "features": dict.fromkeys(NAMES, "number")}
        staging.publish(DAY.isoformat(), details=details)
    _train(folder, registry, name, table.slice(0, TRAINED_ON))


def _source(name: str, columns: dict[str, str], **more: str) -> dict[str, Any]:
    head = {"apiVersion": "modelyard/v1", "kind": "Source", "name": name, "format": "parquet"}
    return {**head, "path": f"{name}.parquet", "columns": columns, **more}


_MEASURES = _source(
    "measures", {"entity": "string", "at": "timestamp", **dict.fromkeys(NAMES, "double")}, timestamp="at"
)
_FEATURE_SET: dict[str, Any] = {
    "document": {
        "apiVersion": "modelyard/v1",
        "kind": "FeatureSet",
        "name": "measures",
        "entity": "entity",
        "source": "measures",
        "aggregations": [{"name": name, "of": name, "how": "last", "window": "30d"} for name in NAMES],
        "ttl": "2d",
    },
    "sources": {"measures": _MEASURES},
}


def _definition(name: str) -> dict[str, Any]:
    population = {"source": "people", "entity": "entity"}
    return {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "Model",
            "name": name,
            "task": "binary_classification",
            "data": {
                "labels": {"source": "outcomes", "entity": "entity", "label": "outcome", "positive": 1},
                "features": ["measures"],
            },
            "pipeline": [MODELS[name]],
            "scoring": {"schedule": "0 4 * * *", "population": population},
        },
        "pipeline": [MODELS[name]],
        "sources": {
            "people": _source("people", {"entity": "string"}),
            "outcomes": _source("outcomes", {"entity": "string", "outcome": "integer"}),
        },
        "feature_sets": {"measures": _FEATURE_SET},
    }


def _opened(folder: Path) -> tuple[LocalRegistry, Any, Any]:
    from modelyard.datasets.filesystem import FilesystemDatasets
    from modelyard.features.duckdb import DuckDBEngine
    from modelyard.registry.home import RegistryHome

    registry = RegistryHome(folder).registry("bench")
    return registry, FilesystemDatasets(folder / "datasets"), DuckDBEngine(folder, folder / "scratch")


def _train(folder: Path, registry: LocalRegistry, name: str, table: Any) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    from modelyard.canonical import canonical_json, digest, file_digest
    from modelyard.config.definitions import ModelDefinition
    from modelyard.registry.records import FeatureSetPin, Run, RunState
    from modelyard.registry.run_spec import RunSpec
    from modelyard.training.run_task import run_task
    from modelyard.training.storage.stored import load_version
    from modelyard.training.tasks import TaskFile, TrainTask

    registry.apply_model(_definition(name), project="bench", expected_revision=0)
    version = registry.feature_set("measures")
    spec = RunSpec(
        definition=ModelDefinition.model_validate_json(canonical_json(_definition(name))),
        as_of=START,
        to=DAY,
        feature_sets=(FeatureSetPin(name="measures", version=version.number, digest=version.digest),),
        code=digest("bench"),
        environment=digest("bench"),
    )
    run = Run(
        id=spec.run_id(1), model=name, project="bench", team="bench", request=spec.request, attempt=1,
        spec=spec.content(), state=RunState.QUEUED, created_at=START, created_by="bench",
    )  # fmt: skip
    registry.update_run(registry.queue_run(run).model_copy(update={"state": RunState.TRAINING, "tries": 1}))
    random = np.random.default_rng(1)
    signal = sum(table.column(column).to_numpy() for column in NAMES[:8])
    label = (signal + random.normal(size=TRAINED_ON) > 0).astype(np.int64)
    rows = table.select(["entity", *NAMES]).append_column("__label", [label])
    file = folder / "rows.parquet"
    pq.write_table(rows, file)
    read = TaskFile(place=str(file), size=file.stat().st_size, sha256=file_digest(file))
    roles = {"entity": ["entity"], "label": "__label", "features": dict.fromkeys(NAMES, "number")}
    task = TrainTask(
        run=run.id, spec=spec, files=(read,), training_set_content=digest("rows"), roles=roles,
        registry=folder.as_uri(),
    )  # fmt: skip
    outcome = run_task(task, registry, folder)
    stored = load_version(registry, name, outcome.version or 0, folder / "cache")
    (folder / "model.pickle").write_bytes(pickle.dumps(stored.pipeline))


# What is measured -----------------------------------------------------------------------------------------------------


def ours(folder: Path) -> float:
    """Score the day as `modelyard score` does; the seconds that it took."""
    import time

    import lightgbm  # noqa: F401 - imports are not counted
    import sklearn.ensemble  # noqa: F401 - as above
    import skops.io  # noqa: F401 - as above

    from modelyard.scoring.batch import find_target, score_partition
    from modelyard.scoring.loading import load_for_batch

    registry, datasets, engine = _opened(folder)
    (model,) = registry.models().items
    begun = time.perf_counter()
    load = partial(load_for_batch, registry, cache=folder / "cache", threads=os.cpu_count() or 1)
    target = find_target(registry, model.name, DAY, 1)
    result = score_partition(target, load, datasets, engine)
    seconds = time.perf_counter() - begun
    if result.existed or result.manifest.rows != ROWS:
        message = "nothing was scored"
        raise RuntimeError(message)
    shutil.rmtree(folder / "datasets" / "predictions")  # the next measurement finds nothing there
    return seconds


def bare(folder: Path) -> float:
    """The same without a platform; the seconds that it took."""
    import time

    import lightgbm  # noqa: F401 - imports are not counted
    import pandas as pd
    import sklearn.ensemble  # noqa: F401 - as above

    begun = time.perf_counter()
    model = pickle.loads((folder / "model.pickle").read_bytes())  # noqa: S301 - made by this benchmark
    model[-1].n_jobs = os.cpu_count() or 1
    (file,) = (folder / "datasets/features/measures/1/_files").glob("*/part-0.parquet")
    frame = pd.read_parquet(file)
    predicted = model.predict_proba(frame[NAMES])[:, 1]
    scored = pd.DataFrame({"entity": frame["entity"], "as_of": frame["as_of"], "prediction": predicted})
    scored.to_parquet(folder / "bare.parquet", compression="zstd")
    return time.perf_counter() - begun


def main(arguments: list[str]) -> None:
    """Measure one side in this process, or both in processes of their own."""
    if not arguments:
        print_rows(run())
        return
    import resource

    seconds = {"ours": ours, "bare": bare}[arguments[0]](Path(arguments[1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kibibytes, but bytes on macOS
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    print(json.dumps({"seconds": seconds, "mebibytes": peak / unit}))


if __name__ == "__main__":
    main(sys.argv[1:])
