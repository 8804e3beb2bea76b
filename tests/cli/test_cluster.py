"""Commands where a cluster's controller runs the runs: they ask a registry over HTTP, and run nothing themselves."""

from __future__ import annotations

import io
import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.cli.main import run
from modelyard.cli.training import OVERLAP, _what_is_new
from modelyard.errors import NotFound
from modelyard.registry import http
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import RunProgress, RunState
from modelyard.settings import read_settings
from modelyard.train import order_run
from modelyard.training import identity, requests
from modelyard.wiring import run_platform
from modelyard.workspace import open_workspace
from tests.registries import open_registry, serving
from tests.registry.making import apply, run_of
from tests.waiting import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Service

RUN = run_of().id


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what commands leave to the end of their process."""
    opened: list[HttpRegistry] = []

    class Remembered(HttpRegistry):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            opened.append(self)

    monkeypatch.setattr(http, "HttpRegistry", Remembered)
    yield
    for one in opened:
        one.close()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRegistry]:
    """A registry service with a run that trains, and nothing else on this machine."""
    made = open_registry(tmp_path / "home")
    apply(made)
    made.update_run(made.queue_run(run_of()).model_copy(update={"state": RunState.TRAINING, "tries": 1}))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("MODELYARD_LAUNCHER", "kubernetes")
    with serving(made) as service:
        monkeypatch.setenv("MODELYARD_REGISTRY", service.url)
        yield made


@pytest.fixture
def _ends_between_two_looks(registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller ends the run after a command's first look at it."""

    def end(_: float) -> None:
        registry.write_run_log(RUN, io.BytesIO(b"fitting\nregistered version 1\n"))
        registry.update_run(registry.run(RUN).model_copy(update={"state": RunState.SUCCEEDED, "version": 1}))

    monkeypatch.setattr("modelyard.cli.training.time", SimpleNamespace(sleep=end))


@pytest.mark.usefixtures("_ends_between_two_looks")
def test_a_log_is_followed_through_the_registry(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.write_run_log(RUN, io.BytesIO(b"fitting\n"))
    assert run(["runs", "logs", RUN, "--follow"]) == 0
    assert capsys.readouterr().out == "fitting\nregistered version 1\n"


def test_what_a_run_does_is_shown(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.report_progress(RunProgress(run=RUN, tries=1, part=0.4, doing="fitting on 41,200 rows"))
    assert run(["runs", "show", RUN]) == 0
    assert "40% fitting on 41,200 rows" in capsys.readouterr().out
    assert run(["runs", "show", RUN, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["progress"]["part"] == 0.4


def test_a_cancel_is_the_controllers_to_do(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "cancel", RUN]) == 0
    assert "the controller ends it" in capsys.readouterr().err
    assert registry.run(RUN).cancel_requested
    assert registry.run(RUN).state is RunState.TRAINING


def test_nothing_is_run_here(registry: LocalRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "reconcile"]) == 64
    assert "MODELYARD_LAUNCHER is `kubernetes`" in capsys.readouterr().err
    assert registry.run(RUN).tries == 1


@pytest.mark.usefixtures("_ends_between_two_looks")
def test_runs_are_watched_until_they_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--watch"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("TRAINING") < shown.index("SUCCEEDED")


def test_apply_waits_for_the_controller(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = open_registry(tmp_path / "other")
    monkeypatch.setenv("MODELYARD_LAUNCHER", "kubernetes")

    def control() -> None:
        for one in registry.open_runs().items:
            changes = {"state": RunState.FAILED, "reason": "bad", "permanent": True}
            registry.update_run(one.model_copy(update=changes))

    with serving(registry, trainer="trainer:1") as service, meanwhile(control, every=0.05):
        monkeypatch.setenv("MODELYARD_REGISTRY", service.url)
        assert run(["apply", "--wait"]) == 65
    assert "failed, bad" in capsys.readouterr().err
    assert not (project / ".modelyard" / "jobs").exists()


def test_a_run_of_a_cluster_does_not_read_the_projects_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = open_registry(tmp_path / "other")
    monkeypatch.setenv("MODELYARD_LAUNCHER", "kubernetes")
    source = project / "sources" / "tumours.yaml"
    source.write_text(re.sub("(?m)^path: .*", "path: data/*.csv", source.read_text()))
    with serving(registry, trainer="trainer:1") as service:
        monkeypatch.setenv("MODELYARD_REGISTRY", service.url)
        for command in (["apply"], ["train", "malignant_logistic"]):
            assert run(command) == 65
            said = capsys.readouterr().err
            assert "source `tumours` lies in the project's folder, at data/*.csv" in said
            assert "name a bucket" in said
    assert registry.models().items == ()


def ordered(service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run that the project asks for at a service."""
    monkeypatch.setenv("MODELYARD_REGISTRY", service.url)
    return order_run(open_workspace(), "malignant_logistic").run.id


@pytest.mark.usefixtures("project")
def test_machines_with_other_libraries_ask_for_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = open_registry(tmp_path / "other")
    monkeypatch.setenv("MODELYARD_LAUNCHER", "kubernetes")
    with serving(registry) as service:
        with pytest.raises(NotFound, match="which image runs train in") as caught:
            ordered(service, monkeypatch)
        assert "set MODELYARD_TRAINER for the registry service" in caught.value.hint
        assert registry.runs().items == ()
    with serving(registry, trainer="trainer:1") as service:
        first = ordered(service, monkeypatch)
        monkeypatch.setattr(requests, "this_platform", lambda: identity.Platform("another laptop's", "likewise"))
        assert ordered(service, monkeypatch) == first
    with serving(registry, trainer="trainer:2") as service:
        assert ordered(service, monkeypatch) != first


def test_without_a_service_the_process_itself_says_which_image(tmp_path: Path) -> None:
    registry = open_registry(tmp_path / "home")
    variables = {"MODELYARD_HOME": str(tmp_path), "MODELYARD_LAUNCHER": "kubernetes"}
    with pytest.raises(NotFound, match="which image runs train in") as caught:
        run_platform(read_settings(tmp_path, variables), registry)
    assert "MODELYARD_TRAINER" in caught.value.hint
    said = read_settings(tmp_path, {**variables, "MODELYARD_TRAINER": "trainer:1"})
    assert run_platform(said, registry) == identity.image_platform("trainer:1")
    assert run_platform(read_settings(tmp_path, {}), registry) == identity.this_platform()


def test_a_log_that_lost_its_beginning_goes_on_where_it_was() -> None:
    lines = [f"line {number}\n".encode() for number in range(1000)]
    printed = b"".join(lines[:600])
    assert _what_is_new(b"".join(lines[:700]), printed) == b"".join(lines[600:700])
    assert _what_is_new(b"(earlier lines are left out)\n" + b"".join(lines[400:800]), printed) == b"".join(
        lines[600:800]
    )
    assert len(printed) > OVERLAP
    assert _what_is_new(b"another job's\n", printed) == b"another job's\n"
    assert _what_is_new(b"", printed) == b""


def test_a_controller_says_which_files_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    for variable in ("MODELYARD_CONTROLLER_FILE", "MODELYARD_RUN_KEY_FILE"):
        assert run(["controller"]) == 64
        assert f"the controller needs {variable}" in capsys.readouterr().err
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    assert run(["controller"]) == 64
    assert "none` can't be read" in capsys.readouterr().err


def test_a_controller_reads_none_of_its_own_stores_as_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pods = "{image: i, service_account: a}"
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        f"namespace: runs\nregistry: http://registry\ntraining: {pods}\nbuild: {pods}\nsources: [s3://yard]\n"
    )
    for variable in ("MODELYARD_CONTROLLER_FILE", "MODELYARD_RUN_KEY_FILE"):
        monkeypatch.setenv(variable, str(profile))
    stores = {"MODELYARD_REGISTRY": "dynamodb+s3://table/yard/registry", "MODELYARD_DATASETS": "s3://yard/datasets"}
    for variable, address in stores.items():
        monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
        with monkeypatch.context() as one:
            one.setenv(variable, address)
            assert run(["controller"]) == 64
        assert f"`sources` names s3://yard, and {address.replace('dynamodb+s3://table/', 's3://')} is" in (
            capsys.readouterr().err
        )
