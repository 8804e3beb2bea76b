"""The DAG loader in the real Airflow: every spec is a DAG, a damaged one is missing alone, a task reads its own."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from modelyard.orchestration.plan import DagPlan
from modelyard.orchestration.specs import spec_path, write_spec
from tests.orchestration.airflow_home import LOADER, AirflowHome
from tests.orchestration.yard import MIDNIGHT, plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

MODELS = ("gh_loan_default", "ke_loan_default", "ug_loan_default")
DAY = timedelta(days=1)


@pytest.fixture
def airflow(tmp_path: Path) -> AirflowHome:
    """An Airflow with three models; without a database, which parsing does not need."""
    home = AirflowHome(tmp_path)
    for model in MODELS:
        write_spec(home.specs, plan(model))
    return home


def dag_ids(*models: str) -> set[str]:
    return {f"modelyard_score_{model}" for model in models}


def test_airflow_lists_the_dags_without_import_errors(airflow: AirflowHome) -> None:
    assert airflow.run("db", "migrate").returncode == 0
    assert airflow.run("dags", "reserialize").returncode == 0
    errors = airflow.run("dags", "list-import-errors", "-o", "json")
    assert (errors.returncode, errors.stdout.splitlines()[-1]) == (0, "[]")
    listed = airflow.run("dags", "list", "-o", "json")
    dags = {dag["dag_id"]: dag for dag in json.loads(listed.stdout.splitlines()[-1])}
    assert dags.keys() == dag_ids(*MODELS) | {"modelyard_poll"}
    assert {dag["is_paused"] for dag in dags.values()} == {"False"}
    assert dags["modelyard_score_ke_loan_default"]["owners"] == ["credit-ke"]


def test_a_dag_says_when_it_runs_and_what_comes_after_what(airflow: AirflowHome) -> None:
    dag = json.loads(airflow.parse().dags["modelyard_score_ke_loan_default"])["dag"]
    timetable = dag["timetable"]["__var"]
    assert (timetable["expression"], timetable["timezone"]) == ("0 4 * * *", "Africa/Nairobi")
    assert (dag["catchup"], dag["max_active_runs"], dag["start_date"]) == (False, 2, MIDNIGHT.timestamp())
    tasks = {task["__var"]["task_id"]: task["__var"] for task in dag["tasks"]}
    after = {name: task.get("downstream_task_ids", []) for name, task in tasks.items()}
    assert after == {"materialise_borrower_history": ["score"], "score": ["hand_over"], "hand_over": []}


def test_parsing_twice_serialises_to_the_same_bytes(airflow: AirflowHome) -> None:
    write_spec(airflow.specs, plan("tz_loan_default", feature_sets={1: {"b": 1, "a": 2, "c": 3}}))
    first = airflow.parse(PYTHONHASHSEED="1")
    assert first.dags.keys() == dag_ids(*MODELS, "tz_loan_default")
    assert airflow.parse(PYTHONHASHSEED="2").dags == first.dags


def test_a_promotion_makes_no_new_version_of_a_dag_whose_steps_stay(airflow: AirflowHome) -> None:
    before = airflow.parse().dags
    write_spec(airflow.specs, plan(MODELS[1], intervals=((MIDNIGHT, MIDNIGHT + DAY, 1), (MIDNIGHT + DAY, None, 2))))
    assert airflow.parse().dags == before


def test_a_damaged_spec_takes_its_own_dag_away_and_the_log_and_the_listing_say_why(airflow: AirflowHome) -> None:
    damaged = spec_path(airflow.specs, "ke_loan_default")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    parsed = airflow.parse()
    assert parsed.dags.keys() == dag_ids("gh_loan_default", "ug_loan_default")
    assert parsed.errors == []
    assert f"A DAG is missing: {damaged}: it can't be read as a spec" in parsed.log
    listed = airflow.modelyard("dags")
    assert listed.returncode == 65
    assert f"error: {damaged}: it can't be read as a spec" in listed.stderr


def test_a_schedule_that_airflow_refuses_takes_its_own_dag_away(airflow: AirflowHome) -> None:
    fields = {**vars(plan("ke_loan_default")), "schedule": "61 4 * * *"}
    write_spec(airflow.specs, DagPlan(**fields))
    parsed = airflow.parse()
    assert parsed.dags.keys() == dag_ids("gh_loan_default", "ug_loan_default")
    assert "61 4 * * *" in parsed.errors[0]


def test_to_run_a_task_its_own_spec_alone_is_read(airflow: AirflowHome) -> None:
    spec_path(airflow.specs, "gh_loan_default").write_bytes(b"{")
    parsed = airflow.parse(_AIRFLOW_PARSING_CONTEXT_DAG_ID="modelyard_score_ke_loan_default")
    assert parsed.dags.keys() == dag_ids("ke_loan_default")
    assert parsed.opened == [str(spec_path(airflow.specs, "ke_loan_default"))]
    assert "A DAG is missing" not in parsed.log


@pytest.mark.parametrize("dag_id", ["modelyard_score_stranger", "modelyard_poll", "somebody_elses"])
def test_a_dag_that_has_no_spec_is_not_made(airflow: AirflowHome, dag_id: str) -> None:
    parsed = airflow.parse(_AIRFLOW_PARSING_CONTEXT_DAG_ID=dag_id)
    assert (parsed.dags, parsed.errors) == ({}, [])


def test_copies_of_the_loader_share_the_models_out(airflow: AirflowHome, tmp_path: Path) -> None:
    parts = []
    for part in range(2):
        copy = tmp_path / f"modelyard_models_{part}_of_2.py"
        shutil.copy(LOADER, copy)
        parts.append(airflow.parse(copy).dags.keys())
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == dag_ids(*MODELS)


def test_without_a_folder_of_specs_airflow_shows_what_to_do(airflow: AirflowHome) -> None:
    shutil.rmtree(airflow.specs)
    parsed = airflow.parse()
    assert parsed.dags == {}
    assert "run `modelyard poll`" in parsed.errors[0]
    assert "MODELYARD_SPECS" in parsed.errors[0]
