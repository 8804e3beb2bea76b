"""Parsing DAG files: the loader of specs beside a bare loop over `airflow.sdk` that reads the same JSON.

    python -m bench.dags

Both make the same DAGs and tasks, each in a process of its own that has imported Airflow already, as Airflow's
processor has. The last row is the parse before one task, which must not grow with the number of models.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.report import Row, print_rows

LOADER = Path(__file__).parents[1] / "dags" / "modelyard_models.py"

REPEATS = {1_000: 5, 10_000: 2}
"""Live models, and how often each parse of them is measured; the fastest counts."""

TIMES_OF_BARE = 1.5


def bare_loop(folder: Path) -> int:
    """What one would write by hand: read JSON, make a DAG, three commands in a row; how many DAGs there are."""
    from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable

    class Run(BaseOperator):  # type: ignore[misc]  # Airflow's types are not read
        def __init__(self, *, words: list[str], **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.words = words

    dags = []
    for path in sorted(folder.glob("*/*.json")):
        spec = json.loads(path.read_text())["plan"]
        with DAG(
            f"modelyard_score_{spec['model']}",
            schedule=CronTriggerTimetable(spec["schedule"], timezone=spec["timezone"]),
            start_date=datetime.fromisoformat(spec["intervals"][0]["from"]),
            catchup=False,
            is_paused_upon_creation=False,
            tags=["modelyard"],
            default_args={"owner": spec["team"], "retries": 5},
        ) as dag:
            names = sorted({name for pins in spec["feature_sets"].values() for name in pins})
            sets = [Run(task_id=f"materialise_{name}", words=["features", "materialise", name]) for name in names]
            sets >> Run(task_id="score", words=["score"]) >> Run(task_id="hand_over", words=["hand-over"])
        dags.append(dag)
    return len(dags)


def loader(folder: Path) -> int:
    """What Airflow runs; how many DAGs there are."""
    with patch.dict(os.environ, MODELYARD_SPECS=str(folder)):
        found = runpy.run_path(str(LOADER))
    return sum(name.startswith("modelyard_score_") for name in found)


def one_task(folder: Path) -> int:
    """What Airflow runs before it runs one task."""
    with patch.dict(os.environ, _AIRFLOW_PARSING_CONTEXT_DAG_ID="modelyard_score_model_00042"):
        return loader(folder)


PARSES = {"bare": bare_loop, "loader": loader, "task": one_task}


def write_specs(folder: Path, models: int) -> None:
    """Specs of models with two versions and two feature sets."""
    from modelyard.orchestration.plan import DagPlan, LiveInterval
    from modelyard.orchestration.specs import write_spec

    first, second = datetime(2026, 1, 31, 21, tzinfo=UTC), datetime(2026, 6, 30, 21, tzinfo=UTC)
    with patch("os.fsync"):  # the disk is not what is measured
        for number in range(models):
            plan = DagPlan(
                model=f"model_{number:05}",
                project="bench",
                team="credit",
                schedule="0 4 * * *",
                timezone="Africa/Nairobi",
                intervals=(LiveInterval(first, second, 1), LiveInterval(second, None, 2)),
                feature_sets={1: {"borrower_history": 1}, 2: {"borrower_history": 2, "device_profile": 1}},
            )
            write_spec(folder, plan)


def seconds(parse: str, folder: Path, repeats: int) -> float:
    """The fastest of several parses, each in a process of its own."""
    words = [sys.executable, "-m", "bench.dags", parse, str(folder)]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        times = [
            float(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.split()[-1])
            for _ in range(repeats)
        ]
    return min(times)


def measure_here(parse: str, folder: Path) -> None:
    """Parse once, and print how long it took."""
    import airflow.sdk

    for name in ("DAG", "BaseOperator", "CronTriggerTimetable", "get_parsing_context"):
        getattr(airflow.sdk, name)  # loads it
    started = time.perf_counter()
    PARSES[parse](folder)
    print(time.perf_counter() - started)


def run() -> list[Row]:
    """Measure; nothing, where Airflow is not installed."""
    if find_spec("airflow") is None:
        print("The parse of DAGs is not measured: Airflow is not installed; `make test-airflow` brings it")
        return []
    rows, tasks = [], []
    for models, repeats in REPEATS.items():
        with tempfile.TemporaryDirectory() as name:
            write_specs(Path(name), models)
            bare, ours, task = (seconds(parse, Path(name), repeats) for parse in PARSES)
        rows.append(
            Row(f"parse {models:,} DAGs", f"{ours:.2f} s", f"bare loop {bare:.2f} s", ours / bare, TIMES_OF_BARE)
        )
        tasks.append(task)
    one, many = (f"{task * 1000:.0f} ms" for task in tasks)
    return [
        *rows,
        Row("a task's parse, 10,000 models", many, f"1,000 models {one}", tasks[1] / tasks[0], TIMES_OF_BARE),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_here(sys.argv[1], Path(sys.argv[2]))
    else:
        print_rows(run())
