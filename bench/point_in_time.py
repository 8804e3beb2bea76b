"""The point-in-time join: 50,000 labels with 20 features from 5 million published rows, Parquet to Parquet.

    python -m bench.point_in_time

Ours is what `build_training_set` does once partitions are published: it reads manifests, finds the instants that labels
need, joins, writes, hashes and publishes. The peers are bare scripts over the same files. Each runs in a process of its
own; the fastest of three counts. Memory is the peak of the whole process. All results are compared value by value.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Row, print_rows

if TYPE_CHECKING:
    from collections.abc import Callable

ENTITIES, INSTANTS, LABELS, FEATURES = 5_000, 1_000, 50_000, 20
FIRST = date(2023, 1, 1)
DAYS_A_FILE = 32
REPEATS = 3
NAMES = [f"f{number}" for number in range(FEATURES)]

TIMES_OF_THE_FASTER = 1.3


def ours(folder: Path, output: Path) -> None:
    """The path that a training run takes."""
    import shutil

    from modelyard.features.duckdb import DuckDBEngine
    from modelyard.features.training_set import build_training_set

    datasets = _datasets(folder)
    manifest = build_training_set(_request(), engine=DuckDBEngine(folder, folder / "scratch"), datasets=datasets)
    Path(datasets.files(manifest)[0]).rename(output)
    shutil.rmtree(folder / "datasets" / "training_sets")


def duckdb(folder: Path, output: Path) -> None:
    """DuckDB's own ASOF JOIN."""
    import duckdb

    columns = ", ".join(f"f.{name}" for name in NAMES)
    duckdb.execute(
        f"COPY (SELECT l.*, {columns} FROM '{folder}/labels.parquet' l "
        f"ASOF LEFT JOIN read_parquet({_files(folder)}) f ON l.who = f.who AND l.at >= f.as_of) "
        f"TO '{output}' (FORMAT parquet)"
    )


def polars(folder: Path, output: Path) -> None:
    """Polars' join_asof; that the files are in order of time is said, not found out."""
    import polars as pl

    features = pl.read_parquet(_files(folder)).set_sorted("as_of")
    labels = pl.read_parquet(folder / "labels.parquet").sort("at")
    joined = labels.join_asof(features, left_on="at", right_on="as_of", by="who", check_sortedness=False)
    joined.drop("as_of").write_parquet(output)


def pandas(folder: Path, output: Path) -> None:
    """Pandas' merge_asof."""
    import pandas as pd

    features = pd.concat([pd.read_parquet(file) for file in _files(folder)])
    labels = pd.read_parquet(folder / "labels.parquet").sort_values("at")
    joined = pd.merge_asof(labels, features, left_on="at", right_on="as_of", by="who")
    joined.drop(columns="as_of").to_parquet(output, index=False)


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours,
    "duckdb": duckdb,
    "polars": polars,
    "pandas": pandas,
}


def run() -> list[Row]:
    """Measure all, and compare their results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make(folder)
        # In turns, so that whatever else the machine does falls on all of them.
        tries = [{contender: _run(contender, folder) for contender in CONTENDERS} for _ in range(REPEATS)]
        found = {name: min((one[name] for one in tries), key=lambda one: one["seconds"]) for name in CONTENDERS}
        _compare(folder)
    rows = [_row("point-in-time join", "seconds", "s", found, TIMES_OF_THE_FASTER)]
    rows.append(_row("point-in-time join, peak memory", "mebibytes", "MiB", found, 1.0))
    for contender in ("duckdb", "polars", "pandas"):
        print(
            f"{contender}: {found[contender]['seconds']:.2f} s, {found[contender]['mebibytes']:.0f} MiB",
            file=sys.stderr,
        )
    return rows


def _row(work: str, measure: str, unit: str, found: dict[str, dict[str, float]], target: float) -> Row:
    faster = min(("duckdb", "polars"), key=lambda contender: found[contender]["seconds"])
    mine, theirs = found["ours"][measure], found[faster][measure]
    return Row(work, f"{mine:.3g} {unit}", f"{faster} {theirs:.3g} {unit}", mine / theirs, target)


def _run(contender: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.point_in_time", contender, str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, timeout=600).stdout
    measured: dict[str, float] = json.loads(output)
    return measured


def _measure(contender: str, folder: Path) -> None:
    """In a process of its own: import first, then do the work."""
    work = CONTENDERS[contender]
    for library in {"ours": ("modelyard.features.duckdb", "modelyard.features.training_set")}.get(
        contender, (contender,)
    ):
        __import__(library)
    if contender == "ours":
        __import__("pyarrow.parquet")
    started = time.perf_counter()
    work(folder, folder / f"{contender}.parquet")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps({"seconds": seconds, "mebibytes": peak}))


# The data ------------------------------------------------------------------------------------------------------------


def _make(folder: Path) -> None:
    """Labels, and values published as `materialise` publishes them: a file for each 32 days."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    first = f"TIMESTAMPTZ '{FIRST} 00:00:00+00'"
    connection.execute(
        f"COPY (SELECT format('b{{:05d}}', hash(i) % {ENTITIES}) AS who, {first} + to_microseconds("
        f"CAST(hash(i + 1) % ({INSTANTS} * 86400000000) AS BIGINT)) AS at, CAST(hash(i + 2) % 2 AS BIGINT) AS label "
        f"FROM range({LABELS}) t(i)) TO '{folder}/labels.parquet'"
    )
    datasets = _datasets(folder)
    values = ", ".join(
        f"CAST(hash(e * {INSTANTS} + d, {number}) % 1000000 AS DOUBLE) / 7 AS {name}"
        for number, name in enumerate(NAMES)
    )
    for start in range(0, INSTANTS, DAYS_A_FILE):
        end = min(start + DAYS_A_FILE, INSTANTS)
        with datasets.stage("features/history/1") as staging:
            connection.execute(
                f"COPY (SELECT format('b{{:05d}}', e) AS who, {first} + to_days(CAST(d AS INTEGER)) AS as_of, {values} "
                f"FROM range({start}, {end}) days(d), range({ENTITIES}) entities(e) ORDER BY d, e) "
                f"TO '{staging.path}/part-0.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )
            for day in range(start, end):
                instants = [
                    datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=day + one) for one in (0, 1)
                ]
                low, high = (instant.isoformat() for instant in instants)
                details = {"instants": [low], "features": dict.fromkeys(NAMES, "number"), "audit": []}
                staging.publish(
                    (FIRST + timedelta(days=day)).isoformat(), where={"as_of": (low, high)}, details=details
                )


def _datasets(folder: Path) -> Any:
    from modelyard.datasets.filesystem import FilesystemDatasets

    return FilesystemDatasets(folder / "datasets")


def _files(folder: Path) -> list[str]:
    """The files of the values, in the order of their days."""
    import pyarrow.parquet as pq

    files = (folder / "datasets/features/history/1/_files").glob("*/*.parquet")
    return sorted(map(str, files), key=lambda file: pq.read_metadata(file).row_group(0).column(1).statistics.min)


def _request() -> Any:
    from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
    from modelyard.config.kinds import FeatureSet, Model, Source
    from modelyard.registry.records import FeatureSetPin
    from modelyard.registry.run_spec import TrainingSetRequest

    version = {"apiVersion": "modelyard/v1"}
    columns = {"who": "string", "at": "timestamp", "label": "integer"}
    labels = Source.model_validate({
        **version, "kind": "Source", "name": "labels", "format": "parquet", "path": "labels.parquet",
        "columns": columns, "timestamp": "at",
    })  # fmt: skip
    history = FeatureSet.model_validate({
        **version, "kind": "FeatureSet", "name": "history", "owner": "bench", "timezone": "UTC", "entity": "who",
        "source": "labels", "aggregations": [{"name": name, "how": "count", "window": "1d"} for name in NAMES],
    })  # fmt: skip
    model = Model.model_validate({
        **version, "kind": "Model", "name": "bench", "owner": "bench", "timezone": "UTC",
        "task": "binary_classification", "pipeline": [{"use": "sklearn.dummy.DummyClassifier"}],
        "data": {"labels": {"source": "labels", "entity": "who", "timestamp": "at", "label": "label", "positive": 1},
                 "features": ["history"]},
    })  # fmt: skip
    definition = ModelDefinition(
        document=model,
        pipeline=model.pipeline,
        sources={"labels": labels},
        feature_sets={"history": FeatureSetDefinition(document=history, sources={"labels": labels})},
    )
    return TrainingSetRequest(
        definition=definition,
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        to=date(2026, 1, 1),
        feature_sets=(FeatureSetPin(name="history", version=1, digest="bench"),),
    )


def _compare(folder: Path) -> None:
    """Every result holds the same values.

    Raises:
        AssertionError: One does not.
    """
    import polars as pl

    def result(contender: str) -> Any:
        table = pl.read_parquet(folder / f"{contender}.parquet").rename({"__time": "at"}, strict=False)
        # Instants as numbers: libraries write them in different units.
        return table.select("who", pl.col("at").dt.epoch("us"), *NAMES).sort("at", "who")

    mine = result("ours")
    for contender in CONTENDERS:
        if not mine.equals(result(contender)):
            msg = f"{contender} found other values than ours"
            raise AssertionError(msg)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(sys.argv[1], Path(sys.argv[2]))
    else:
        print_rows(run())
