"""Whatever dies when, readers find the old partition or the new one; whatever the rows, memory stays as it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.errors import InvalidData
from modelyard.features.duckdb import DuckDBEngine
from modelyard.scoring.audit import Audit, audit_predictions
from modelyard.scoring.batch import find_target, score_partition
from modelyard.training.storage.manifest import ModelManifest
from tests.scoring.dying_score import STEPS
from tests.scoring.world import DAY, MODEL, World, definition, make_world, write_people

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATASET = f"predictions/{MODEL}/1"
PARTITION = DAY.isoformat()


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", f"tests.scoring.{module}", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)


def rows(world: World) -> int | None:
    """How many rows a reader finds, after every byte was checked."""
    manifest = world.datasets.manifest(DATASET, PARTITION)
    if manifest is None:
        return None
    world.datasets.verify(manifest)
    found = pq.read_table(world.datasets.files(manifest))
    assert found.num_rows == manifest.rows == len(set(found["loan_id"].to_pylist()))
    return int(found.num_rows)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_old_or_the_new_partition(tmp_path: Path, step: str) -> None:
    world = make_world(tmp_path, people=30)
    world.train(definition())
    world.materialise()
    target = find_target(world.registry, MODEL, DAY)
    score_partition(target, world.load, world.datasets, world.engine)
    assert rows(world) == 27
    write_people(tmp_path, 20)
    died = run("dying_score", str(tmp_path), step)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert rows(world) == (17 if step == "published" else 27)
    again = score_partition(target, world.load, world.datasets, world.engine)
    assert again.existed == (step == "published")
    assert (rows(world), again.manifest.number) == (17, 2)
    world.datasets.sweep(older_than=datetime.now(UTC) + timedelta(minutes=1), dry_run=False)
    assert rows(world) == 17
    staged = list((tmp_path / "datasets" / DATASET / "_files").iterdir())
    assert len(staged) == 1


@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.train(definition())
    world.materialise()
    peaks = {}
    for people in (10_000, 1_000_000):
        write_people(tmp_path, people)
        peak = run("measured_score", str(tmp_path))
        assert peak.returncode == 0, peak.stderr
        peaks[people] = json.loads(peak.stdout)
    assert [peaks[people]["rows"] for people in peaks] == [9_997, 999_997]
    assert peaks[1_000_000]["mebibytes"] < peaks[10_000]["mebibytes"] + 250


BINARY = ModelManifest(task="binary_classification", features={}, classes=("0", "1"), libraries={})
CLASSES = ModelManifest(task="multiclass_classification", features={}, classes=("low", "high"), libraries={})
NUMBERS = ModelManifest(task="regression", features={}, libraries={})


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(tmp_path, tmp_path / "scratch", threads=1)


def audit(
    engine: DuckDBEngine, folder: Path, model: ModelManifest, *, population: int = 2, **columns: Sequence[object]
) -> Audit:
    file = folder / "predictions.parquet"
    pq.write_table(pa.table({"shop": ["a", "b"], "till": [1, 1], **columns}), file)
    return audit_predictions(file, model, ["shop", "till"], population, engine)


def test_a_sound_file_passes(engine: DuckDBEngine, tmp_path: Path) -> None:
    assert audit(engine, tmp_path, BINARY, prediction=[0.25, 0.75]) == Audit(2, 0.5, 0.25, 0.75)
    assert audit(engine, tmp_path, NUMBERS, prediction=[-7.0, 9e300]).least == -7
    low, high = [1.0, 0.0], [0.0, 1.0]
    found = audit(engine, tmp_path, CLASSES, prediction=["low", "high"], probability_low=low, probability_high=high)
    assert found == Audit(2, None, None, None)


@pytest.mark.parametrize("value", [None, np.nan, np.inf, -0.01, 1.01])
def test_what_no_probability_can_be_fails(engine: DuckDBEngine, tmp_path: Path, value: float | None) -> None:
    with pytest.raises(InvalidData, match="not published: 1 predictions are missing, or can't be: prediction"):
        audit(engine, tmp_path, BINARY, prediction=[0.5, value])
    low, high = [1.0, 0.0], [value, 1.0]
    with pytest.raises(InvalidData, match="1 predictions are missing"):
        audit(engine, tmp_path, CLASSES, prediction=["low", "high"], probability_low=low, probability_high=high)


@pytest.mark.parametrize("value", [None, np.nan, -np.inf])
def test_what_no_number_can_be_fails(engine: DuckDBEngine, tmp_path: Path, value: float | None) -> None:
    with pytest.raises(InvalidData, match="1 predictions are missing"):
        audit(engine, tmp_path, NUMBERS, prediction=[0.5, value])


def test_somebody_too_many_or_too_few_fails(engine: DuckDBEngine, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="2 rows were written for a population of 3"):
        audit(engine, tmp_path, BINARY, population=3, prediction=[0.5, 0.5])


@pytest.mark.parametrize("shops", [["a", "a"], ["a", None]])
def test_somebody_twice_or_nobody_fails(engine: DuckDBEngine, tmp_path: Path, shops: list[object]) -> None:
    with pytest.raises(InvalidData, match=r"shop (None|'a'), till 1 is missing or has several rows"):
        audit(engine, tmp_path, BINARY, shop=shops, prediction=[0.5, 0.5])
