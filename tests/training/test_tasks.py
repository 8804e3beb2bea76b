"""What jobs are handed and called, the job that builds training sets, and logs."""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import UsageError
from modelyard.jobs.build import build_from_file
from modelyard.registry.credential import Credential
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import Outcome, RunState
from modelyard.registry.run_spec import RunSpec
from modelyard.run_tokens import mint
from modelyard.training.job import exit_code, run_job
from modelyard.training.job_maker import JobMaker, check_reach
from modelyard.training.job_names import build_prefix, is_build, is_trial, new_trial, run_of, training_job
from modelyard.training.launchers.local import LocalLauncher
from modelyard.training.logs import read_log
from modelyard.training.reconcile import Reconciler
from modelyard.training.requests import plan_run
from modelyard.training.tasks import TrainTask, training_set
from registry_api.access import find_run
from tests.principals import KEY, token_of, write_auth_file
from tests.registries import open_registry, serving
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.records import Run


@pytest.fixture
def maker(tmp_path: Path) -> JobMaker:
    return JobMaker(yard.settings(tmp_path), FilesystemDatasets(tmp_path / "datasets"))


def outcome_of_build(maker: JobMaker, tmp_path: Path) -> Outcome:
    """Run the job that builds the training set of the usual model, from its file."""
    job = maker.build("build", yard.spec(yard.definition()))
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "task.json").write_bytes(job.task)
    code = run_job(build_from_file, tmp_path / "job" / "task.json")
    outcome = Outcome.model_validate_json((tmp_path / "job" / "outcome.json").read_bytes())
    assert code == exit_code(outcome)
    return outcome


def test_a_training_set_is_built_in_a_job_and_handed_to_the_next(maker: JobMaker, tmp_path: Path) -> None:
    rows = yard.table(50)
    pq.write_table(rows.rename_columns(["loan_id", "outcome", *rows.column_names[2:]]), tmp_path / "loans.parquet")
    assert outcome_of_build(maker, tmp_path).ok
    asked = yard.spec(yard.definition())
    built = training_set(maker.datasets, asked)
    assert built is not None
    assert built.details["roles"] == yard.roles()
    job = maker.training("loans-1", asked.run_id(1), asked, built)
    task = TrainTask.model_validate_json(job.task)
    assert task.spec == asked
    assert sum(pq.read_metadata(file.place).num_rows for file in task.files) == 50
    assert job.resources == asked.definition.document.resources


def test_a_source_that_is_not_there_is_told(maker: JobMaker, tmp_path: Path) -> None:
    outcome = outcome_of_build(maker, tmp_path)
    assert (outcome.ok, outcome.permanent) == (False, True)
    assert "loans" in outcome.reason


def test_names_of_jobs_say_what_they_are_of() -> None:
    asked = yard.spec(yard.definition("build"))
    build = f"{build_prefix(asked)}2"
    training = f"{asked.run_id(12)}-3"
    assert (is_build(build), run_of(build)) == (True, None)
    assert (is_build(training), run_of(training)) == (False, asked.run_id(12))
    assert not any(map(is_trial, (build, training, "trial-0123456789ab-1-1")))
    assert is_trial(new_trial())
    assert is_trial(f"{new_trial()}-build")
    assert len(build) <= 63
    assert len(yard.spec(yard.definition("m" * 63)).run_id(99)) <= 63


class Printing:
    """A launcher whose jobs have printed their names."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def list(self) -> list[Any]:
        return [type("Job", (), {"name": name}) for name in self.names]

    def logs(self, name: str) -> Iterator[bytes]:
        yield name.encode() if name in self.names else b""


def test_a_log_is_read_from_where_it_is(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    made = yard.definition()
    planned = plan_run(registry, yard.spec(made), project="tests", actor="tests")
    registry.apply_model(made.content(), project="tests", expected_revision=0, run=planned)

    def state(run: Run, state: RunState) -> Run:
        return registry.update_run(run.model_copy(update={"state": state, "tries": 1}))

    building = state(registry.run(planned.id), RunState.BUILDING)
    job = f"{build_prefix(RunSpec.model_validate(building.spec))}1"
    launcher: Any = Printing(job, training_job(building), "other")
    assert read_log(planned, registry, launcher) == b""
    assert read_log(building, registry, launcher) == job.encode()
    training = state(building, RunState.TRAINING)
    assert read_log(training, registry, launcher) == training_job(training).encode()
    registry.write_run_log(planned.id, io.BytesIO(b"kept"))
    assert read_log(state(training, RunState.SUCCEEDED), registry, launcher) == b"kept"


def test_a_process_without_credentials_is_not_sent_to_a_registry_that_needs_them(tmp_path: Path) -> None:
    direct = dataclasses.replace(yard.settings(tmp_path), registry="dynamodb+s3://modelyard/company")
    for registers in (True, False):
        with pytest.raises(UsageError, match="no credentials of AWS") as told:
            check_reach(direct, registers=registers)
        assert "modelyard serve registry" in told.value.hint


@pytest.mark.parametrize("asks", [{"token": "canary"}, {"token_file": "/var/run/token"}])
def test_a_process_is_not_sent_to_a_registry_that_asks_who_calls_without_a_token(
    tmp_path: Path, asks: dict[str, Any]
) -> None:
    asked = dataclasses.replace(yard.settings(tmp_path), registry="https://modelyard.example.org", **asks)
    with pytest.raises(UsageError, match="asks who calls") as told:
        check_reach(asked)
    assert "MODELYARD_RUN_KEY_FILE" in told.value.hint
    check_reach(asked, registers=False)
    (tmp_path / "key").write_bytes(KEY)
    check_reach(dataclasses.replace(asked, run_key_file=str(tmp_path / "key")))
    with pytest.raises(UsageError, match="can't be read"):
        check_reach(dataclasses.replace(asked, run_key_file=str(tmp_path / "none")))


def test_a_trial_shows_the_registry_the_token_of_who_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{token_of('author')}\n")
    datasets = FilesystemDatasets(tmp_path / "datasets")
    asked = yard.spec(yard.definition())
    with datasets.stage(f"training_sets/{asked.training_set}") as staging:
        pq.write_table(yard.table(5), staging.path / "rows.parquet")
        built = staging.publish("all", details={"roles": yard.roles(), "audits": []})
    maker = JobMaker(dataclasses.replace(yard.settings(tmp_path), token_file=str(tmp_path / "token")), datasets)
    trial = maker.training("trial", asked.run_id(0), asked, built, register_version=False)
    assert TrainTask.model_validate_json(trial.task).token == token_of("author")
    planned = plan_run(open_registry(tmp_path), asked, project="tests", actor="tests")
    run = maker.training("run", planned.id, asked, built, of=planned)
    assert not TrainTask.model_validate_json(run.task).token, "a run has its own, or none"


def test_a_loop_of_this_machine_trains_at_a_registry_that_asks_who_calls(tmp_path: Path) -> None:
    local = open_registry(tmp_path / "registry")
    made = yard.definition()
    planned = plan_run(local, yard.spec(made), project="tests", actor="tests")
    local.apply_model(made.content(), project="tests", expected_revision=0, run=planned)
    datasets = FilesystemDatasets(tmp_path / "datasets")
    with datasets.stage(f"training_sets/{yard.spec(made).training_set}") as staging:
        pq.write_table(yard.table(), staging.path / "rows.parquet")
        staging.publish("all", details={"roles": yard.roles(), "audits": []})
    key_file = str(tmp_path / "run-key")
    authenticator = Authenticator(write_auth_file(tmp_path), run_key_file=key_file, find_run=find_run(local))
    with serving(local, authenticator) as service:
        settings = dataclasses.replace(
            yard.settings(tmp_path / "home"),
            registry=service.url,
            token=token_of("operator"),
            run_key_file=key_file,
        )
        client = HttpRegistry(service.url, credential=Credential(settings.token))
        loop = Reconciler(client, LocalLauncher(tmp_path / "jobs"), datasets, settings)
        loop.step()
        (task,) = (tmp_path / "jobs").glob("*/task.json")
        assert task.stat().st_mode & 0o777 == 0o600
        handed = TrainTask.model_validate_json(task.read_bytes())
        assert handed.token == mint(planned.id, 1, KEY)
        assert handed.token not in repr(handed)
        ended = loop.run_until_done([planned.id])[planned.id]
        client.close()
    assert (ended.state, ended.reason) == (RunState.SUCCEEDED, "")
    assert local.version("loans", 1).created_by == f"run:{planned.id}"
