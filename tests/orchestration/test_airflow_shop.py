"""From YAML to a day's scores in the real Airflow: a small shop, trained, promoted, polled, and scored by its DAG."""

from __future__ import annotations

import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from tests.orchestration.airflow_home import AirflowHome
from tests.registries import Clock, open_registry, serving

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

DAG = "modelyard_score_churn"
CUSTOMERS = [f"c{number:02}" for number in range(40)]
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.astimezone(ZoneInfo("Africa/Nairobi")).date()


def write_data(folder: Path) -> None:
    """Forty days of customers who come often or rarely, and of who stayed, mostly the first."""
    chance = random.Random(1)  # noqa: S311 - for variety, not for secrets
    visits, outcomes = ["customer,at,amount"], ["customer,at,stayed"]
    for number, customer in enumerate(CUSTOMERS):
        often = number % 2
        for day in range(40):
            at = NOW - timedelta(days=day, hours=chance.uniform(0, 20))
            if chance.random() < (0.8 if often else 0.1):
                visits.append(f"{customer},{at.isoformat(timespec='seconds')},{chance.uniform(1, 20):.2f}")
            if day % 3 == 2:
                outcomes.append(
                    f"{customer},{at.isoformat(timespec='seconds')},{int(chance.random() < 0.1 + 0.8 * often)}"
                )
    folder.mkdir()
    for name, lines in {"visits": visits, "outcomes": outcomes, "customers": ["customer", *CUSTOMERS]}.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    """An Airflow beside a project whose model was trained, and went live three days ago."""
    home = AirflowHome(tmp_path_factory.mktemp("shop"))
    shutil.copytree(Path(__file__).with_name("shop"), home.project, dirs_exist_ok=True)
    write_data(home.project / "data")
    applied = home.modelyard("apply", "--wait")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    # It was promoted to the next midnight; nobody wants to wait for that.
    open_registry(home.project / ".modelyard", Clock(NOW - timedelta(days=3))).rollback("churn", to=1)
    polled = home.modelyard("poll")
    assert polled.returncode == 0, polled.stderr
    assert home.run("db", "migrate").returncode == 0
    assert home.run("dags", "reserialize").returncode == 0
    return home


def versions(airflow: AirflowHome) -> list[tuple[str, int]]:
    """How many versions Airflow has recorded of each DAG."""
    with sqlite3.connect(Path(airflow.settings["AIRFLOW_HOME"]) / "airflow.db") as database:
        return database.execute("SELECT dag_id, count(*) FROM dag_version GROUP BY dag_id ORDER BY dag_id").fetchall()


def test_the_dag_of_a_trained_model_scores_a_day_and_again_changes_nothing(airflow: AirflowHome) -> None:
    datasets = FilesystemDatasets(airflow.project / ".modelyard" / "datasets")
    published = []
    for _ in range(2):
        ran = airflow.run("dags", "test", DAG, f"{TODAY}T01:00:00+00:00")
        assert ran.returncode == 0, ran.stdout[-5000:]
        assert ran.stdout.count("new_state=success") == 3
        published.append(datasets.manifest("predictions/churn/1", TODAY.isoformat()))
    first, second = published
    assert first is not None
    assert first == second
    rows = pq.read_table(datasets.files(first)).to_pylist()
    assert [row["customer"] for row in rows] == CUSTOMERS
    often, rarely = ([row["prediction"] for row in rows[start::2]] for start in (1, 0))
    assert sum(often) > sum(rarely)


def test_looking_again_makes_no_new_versions_of_dags(airflow: AirflowHome) -> None:
    before = versions(airflow)
    assert before == [("modelyard_poll", 1), (DAG, 1)]
    assert airflow.run("dags", "reserialize").returncode == 0
    assert versions(airflow) == before


def test_while_the_registry_is_down_dags_stay(airflow: AirflowHome) -> None:
    with serving(open_registry(airflow.project / ".modelyard", Clock(NOW))) as service:
        address = service.url
        assert airflow.modelyard("poll", "--full", MODELYARD_REGISTRY=address).returncode == 0
        before = airflow.parse(MODELYARD_REGISTRY=address)
        assert before.dags.keys() == {DAG}
    polled = airflow.modelyard("poll", MODELYARD_REGISTRY=address)
    assert polled.returncode == 75
    after = airflow.parse(MODELYARD_REGISTRY=address)
    assert (after.dags, after.errors) == (before.dags, [])
    assert airflow.modelyard("dags", MODELYARD_REGISTRY=address).returncode == 0
