"""The DAGs of all models with a live version, for Airflow 3: one for each spec file that `modelyard poll` wrote.

This file is static. It reads JSON and makes tasks of it; no name that an author chose becomes code, a template or a
shell's word. A spec that does not load is logged, and its DAG alone is missing. Where Airflow asks for one DAG, to run
a task, that spec alone is read.

A file with thousands of DAGs is slow to parse, so an operator may copy this one: as `modelyard_models_0_of_4.py` up to
`modelyard_models_3_of_4.py`, each copy makes a quarter of the DAGs.

Environment variables: MODELYARD_PROJECT, the project's folder, in which commands run; MODELYARD_SPECS, the folder of
specs, `specs` in the project's state folder unless said; MODELYARD_COMMAND, the `modelyard` to run, the one beside
Airflow's Python unless said.
"""

from __future__ import annotations

import logging
import os
import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, get_parsing_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from modelyard.errors import IntegrityError, InvalidData, NotFound
from modelyard.orchestration.commands import Command
from modelyard.orchestration.plan import DAG_PREFIX, DagPlan
from modelyard.orchestration.specs import SHARDS, read_spec, read_specs, spec_path
from modelyard.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

PROJECT = Path(os.environ.get("MODELYARD_PROJECT") or ".").absolute()

RETRIES = {
    "retries": 5,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=30),
}
"""Half an hour or so in all: long enough for a restart of the registry, short enough to be seen the same morning."""

HUNG = timedelta(hours=6)
"""After this a command is ended and tried again: it would otherwise hold its slot for ever."""


class ModelyardStep(BaseOperator):  # type: ignore[misc]  # Airflow's types are not read
    """One step of a model's DAG, for the day that a run stands for: a `modelyard` command in a process of its own.

    Args:
        plan: The model's DAG.
        **kwargs: What every operator takes.
    """

    template_fields = ()
    ui_color = "#e8f0e4"

    def __init__(self, *, plan: DagPlan, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self._command: Command | None = None

    def execute(self, context: Context) -> None:
        """Run the command.

        Raises:
            AirflowSkipException: There is nothing to do for that day.
            AirflowFailException: It failed for good; another try would not help.
            Unavailable: It failed, and is tried again.
        """
        day = day_of(self.plan, context)
        words = self.plan.words(self.task_id, day)
        if words is None:
            reason = f"{day} needs no {self.task_id}: the version that is live when it begins, if any, does not use it"
            raise AirflowSkipException(reason)
        self.log.info("%s: modelyard %s", day, " ".join(words))
        self._command = Command(words, PROJECT, os.environ)
        try:
            self._command.run(lambda line: self.log.info("%s", line))
        except InvalidData as error:
            raise AirflowFailException(str(error)) from error

    def on_kill(self) -> None:
        """End the command where Airflow ends the task."""
        if self._command:
            self._command.stop()


def day_of(plan: DagPlan, context: Context) -> date:
    """The partition that a run stands for: `as_of` of its conf, else the day of its logical date, else of its start.

    Raises:
        AirflowFailException: `as_of` is not a date.
    """
    run = context["dag_run"]
    asked = (run.conf or {}).get("as_of")
    if asked is None:
        # A run that an asset or a person triggered need not have a logical date.
        return plan.day_of(run.logical_date or run.run_after)
    try:
        return date.fromisoformat(asked)
    except (TypeError, ValueError) as error:
        reason = f"as_of is {asked!r}; write it as 2026-01-31"
        raise AirflowFailException(reason) from error


def build_dag(plan: DagPlan) -> DAG:
    """The DAG of a plan.

    A day that is tried again does not hold up the next one, so two may run at once; the steps of each write partitions
    of their own.
    """
    with DAG(
        plan.dag_id,
        schedule=CronTriggerTimetable(plan.schedule, timezone=plan.timezone),
        start_date=plan.start,
        catchup=False,
        max_active_runs=2,
        is_paused_upon_creation=False,
        tags=["modelyard", plan.project],
        default_args={**RETRIES, "owner": plan.team, "execution_timeout": HUNG},
    ) as dag:
        tasks: dict[str, ModelyardStep] = {}
        for step in plan.steps:
            rule = "none_failed" if step.runs_after_skipped else "all_success"
            tasks[step.name] = ModelyardStep(task_id=step.name, plan=plan, trigger_rule=rule)
            tasks[step.name].set_upstream([tasks[name] for name in step.after])
    return dag


def specs(folder: Path, asked: str | None, share: re.Match[str] | None) -> Iterable[DagPlan | IntegrityError]:
    """The specs to make DAGs of: the one that Airflow asks for, or this file's share of all."""
    if asked is None:
        part, parts = (int(share[1]), int(share[2])) if share else (0, 1)
        yield from read_specs(folder, range(part, SHARDS, parts))
    elif asked.startswith(DAG_PREFIX):
        try:
            yield read_spec(spec_path(folder, asked.removeprefix(DAG_PREFIX)))
        except IntegrityError as error:
            yield error
        except NotFound as error:
            logging.getLogger(__name__).warning("No DAG %s: %s", asked, error)


SHARE = re.search(r"_(\d+)_of_(\d+)$", Path(__file__).stem)

for spec in specs(read_settings(PROJECT).specs, get_parsing_context().dag_id, SHARE):
    if isinstance(spec, DagPlan):
        globals()[spec.dag_id] = build_dag(spec)
    else:
        logging.getLogger(__name__).error("A DAG is missing: %s", spec)
