"""The environment, as Modelyard reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import UsageError
from modelyard.settings import read_settings
from modelyard.wiring import open_datasets, open_registry_at

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_variable_state_lies_in_the_project(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})

    assert settings.home == tmp_path / ".modelyard"
    assert settings.registry == (tmp_path / ".modelyard").as_uri()
    assert settings.datasets == (tmp_path / ".modelyard" / "datasets").as_uri()
    assert (settings.environment, settings.launcher, settings.token) == ("default", "local", "")
    assert settings.parallel >= 1
    assert settings.actor
    assert not settings.allow_bundles


def test_variables_say_otherwise(tmp_path: Path) -> None:
    variables = {
        "MODELYARD_HOME": str(tmp_path / "state"),
        "MODELYARD_REGISTRY": "http://127.0.0.1:8600",
        "MODELYARD_ENVIRONMENT": "production",
        "MODELYARD_ACTOR": "nightly",
        "MODELYARD_ALLOW_BUNDLES": "1",
        "MODELYARD_PARALLEL": "3",
        "MODELYARD_SPECS": str(tmp_path / "dags"),
        "MODELYARD_DATASETS": "s3://yard/datasets",
        "MODELYARD_LAUNCHER": "kubernetes",
        "MODELYARD_TOKEN": "canary",
        "MODELYARD_TOKEN_FILE": "/var/run/token",
        "MODELYARD_AUTH_FILE": "/etc/modelyard/auth.yaml",
        "MODELYARD_RUN_KEY_FILE": "/etc/modelyard/run-key",
        "MODELYARD_TRAINER": "trainer:1",
        "MODELYARD_SOURCES": "/data,s3://lender/data",
    }
    settings = read_settings(tmp_path, variables)

    assert settings.home == tmp_path / "state"
    assert settings.registry == "http://127.0.0.1:8600"
    assert (settings.environment, settings.actor, settings.parallel) == ("production", "nightly", 3)
    assert settings.allow_bundles
    assert (settings.datasets, settings.launcher) == ("s3://yard/datasets", "kubernetes")
    assert (settings.token, settings.token_file) == ("canary", "/var/run/token")
    assert (settings.auth_file, settings.run_key_file) == ("/etc/modelyard/auth.yaml", "/etc/modelyard/run-key")
    assert settings.trainer == "trainer:1"
    assert settings.sources == ("/data", "s3://lender/data")
    assert "canary" not in repr(settings)
    assert settings.variables() == variables


def test_a_launcher_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MODELYARD_LAUNCHER is `docker`"):
        read_settings(tmp_path, {"MODELYARD_LAUNCHER": "docker"})


def test_datasets_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gs://somewhere"):
        open_datasets(read_settings(tmp_path, {"MODELYARD_DATASETS": "gs://somewhere"}))


def test_settings_go_on_to_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings(tmp_path, {"MODELYARD_TOKEN_FILE": "token"})
    assert read_settings(tmp_path, settings.variables()) == settings
    assert settings.sources is None
    assert settings.token_file == str(tmp_path / "token"), "they are started in other folders"
    nowhere = read_settings(tmp_path, {"MODELYARD_SOURCES": ""})
    assert read_settings(tmp_path, nowhere.variables()).sources == (), "nowhere is not anywhere"


@pytest.mark.parametrize("place", ["data", "s3://", "s3:///x", "https://lender/data"])
def test_a_place_for_sources_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="MODELYARD_SOURCES"):
        read_settings(tmp_path, {"MODELYARD_SOURCES": f"/data, {place}"})


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_number_of_runs_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="MODELYARD_PARALLEL"):
        read_settings(tmp_path, {"MODELYARD_PARALLEL": text})


def test_an_address_of_another_form_is_refused() -> None:
    with pytest.raises(UsageError, match="ftp://somewhere"):
        open_registry_at("ftp://somewhere", actor="somebody")


@pytest.mark.parametrize("name", ["MODELYARD_REGISTRY", "MODELYARD_DATASETS"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is `http://\\[::1`"):
        read_settings(tmp_path, {name: "http://[::1"})
