"""Tasks in the real Airflow: what they run for which day, and what becomes of them when that fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelyard.orchestration.specs import write_spec
from tests.orchestration.airflow_home import AirflowHome
from tests.orchestration.yard import MIDNIGHT, plan

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

DAG = "modelyard_score_ke_loan_default"
HANDED_OVER = plan(
    intervals=((MIDNIGHT, MIDNIGHT + timedelta(days=2), 1), (MIDNIGHT + timedelta(days=2), None, 2)),
    feature_sets={1: {"borrower_history": 1}, 2: {"borrower_history": 2, "device_profile": 1}},
)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    """An Airflow with one model, and a `modelyard` that writes down what it is asked."""
    folder = tmp_path_factory.mktemp("airflow")
    home = AirflowHome(folder)
    write_spec(home.specs, HANDED_OVER)
    command = folder / "modelyard"
    command.write_text('#!/bin/sh\necho "$@" >> commands.txt\necho "asked: $*"\nexit "${EXIT_CODE:-0}"\n')
    command.chmod(0o755)
    home.settings["MODELYARD_COMMAND"] = str(command)
    assert home.run("db", "migrate").returncode == 0
    assert home.run("dags", "reserialize").returncode == 0
    return home


def asked(airflow: AirflowHome) -> list[str]:
    """What commands were asked for since the last call, in any order of those that may be."""
    file = airflow.project / "commands.txt"
    words = sorted(file.read_text().splitlines()) if file.exists() else []
    file.unlink(missing_ok=True)
    return words


def test_a_run_scores_its_own_day_with_the_version_of_that_day(airflow: AirflowHome) -> None:
    for day, expected in {
        "2026-07-03": [
            "features materialise borrower_history --as-of 2026-07-03T00:00:00+03:00 --version 1",
            "hand-over ke_loan_default --version 1",
            "score ke_loan_default --as-of 2026-07-03 --version 1",
        ],
        "2026-07-04": [
            "features materialise borrower_history --as-of 2026-07-04T00:00:00+03:00 --version 2",
            "features materialise device_profile --as-of 2026-07-04T00:00:00+03:00 --version 1",
            "hand-over ke_loan_default --version 2",
            "score ke_loan_default --as-of 2026-07-04 --version 2",
        ],
    }.items():
        ran = airflow.run("dags", "test", DAG, f"{day}T01:00:00+00:00")
        assert ran.returncode == 0, ran.stdout[-5000:]
        assert asked(airflow) == expected


def test_a_run_by_hand_scores_the_day_that_it_is_told(airflow: AirflowHome) -> None:
    ran = airflow.run("dags", "test", DAG, "2026-07-20T01:00:00+00:00", "--conf", '{"as_of": "2026-07-03"}')
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert "score ke_loan_default --as-of 2026-07-03 --version 1" in asked(airflow)


def test_a_day_without_a_live_version_is_skipped(airflow: AirflowHome) -> None:
    ran = airflow.run("dags", "test", DAG, "2026-07-20T01:00:00+00:00", "--conf", '{"as_of": "2026-06-30"}')
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert asked(airflow) == []
    assert ran.stdout.count("new_state=skipped") == 3


@pytest.mark.parametrize(("code", "state"), [("65", "failed"), ("75", "up_for_retry")])
def test_the_exit_code_decides_whether_a_task_is_tried_again(airflow: AirflowHome, code: str, state: str) -> None:
    ran = airflow.run("tasks", "test", DAG, "score", "2026-07-05T01:00:00+00:00", EXIT_CODE=code)
    assert f"new_state={state}" in ran.stdout
    assert "asked: score ke_loan_default --as-of 2026-07-05 --version 2" in ran.stdout
    asked(airflow)


def test_a_day_that_is_no_date_is_not_tried_again(airflow: AirflowHome) -> None:
    ran = airflow.run("dags", "test", DAG, "2026-07-20T01:00:00+00:00", "--conf", '{"as_of": "tomorrow"}')
    assert ran.returncode == 1
    assert "as_of is 'tomorrow'; write it as 2026-01-31" in ran.stdout
    assert asked(airflow) == []


def test_the_poller_polls(airflow: AirflowHome) -> None:
    ran = airflow.run("dags", "test", "modelyard_poll", "2026-07-20T01:00:00+00:00")
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert asked(airflow) == ["poll"]
