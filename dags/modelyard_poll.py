"""The DAG that keeps the specs of all other Modelyard DAGs current: `modelyard poll`, every five minutes.

While the registry can't answer, the run fails and the specs stay as they are; the next run is the next try.

Environment variables: as for `modelyard_models.py`.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, task

from modelyard.orchestration.commands import Command

PROJECT = Path(os.environ.get("MODELYARD_PROJECT") or ".").absolute()

with DAG(
    "modelyard_poll",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["modelyard"],
    default_args={"owner": "modelyard"},
):

    @task(execution_timeout=timedelta(minutes=30))  # type: ignore[untyped-decorator]  # Airflow's types are not read
    def poll() -> None:
        """Bring the DAG specs in line with what the registry says is live."""
        Command(["poll"], PROJECT, os.environ).run(lambda line: logging.getLogger(__name__).info("%s", line))

    poll()
