"""The commands, through the command line's front door, on a registry of their own."""

import json
from pathlib import Path

import pytest

from modelyard.cli.main import run
from modelyard.wiring import open_registry_at
from tests.config.conftest import SmallProject

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.fixture
def here(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    monkeypatch.chdir(small.root)
    return small


def apply(project: SmallProject) -> None:
    """Record the project's definitions in its registry, as applying it does."""
    loaded = project.load()
    registry = open_registry_at((project.root / ".modelyard").as_uri(), actor="test")
    for known in loaded.feature_sets.values():
        registry.register_feature_set(known.content(), project="small", lineage={})
    for model in loaded.models.values():
        registry.apply_model(model.content(), project="small", expected_revision=0)


def test_validate_is_silent_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(CONFIGS)]) == 0
    assert capsys.readouterr() == ("", "")
    assert run(["validate", str(CONFIGS / "iris"), str(CONFIGS / "iris" / "species.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"problems": [], "warnings": []}


def test_validate_tells_warnings_aside(here: SmallProject, capsys: pytest.CaptureFixture[str]) -> None:
    here.replace("loans.yaml", "available: at\n", "")
    assert run(["validate"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("warning: loans.yaml:1:1  no `available`")


def test_validate_where_there_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 1
    assert "hint: go to a project's folder, or make one: modelyard init FOLDER" in capsys.readouterr().err


def test_many_documents_get_a_progress_bar_on_a_terminal_alone(
    here: SmallProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("modelyard.cli.config.MANY_FILES", 1)
    assert run(["validate"]) == 0
    assert capsys.readouterr() == ("", "")
    here.replace("default.yaml", "label: bad", "label: bat")
    assert run(["validate"]) == 65


def test_validate_of_an_environment(
    here: SmallProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.replace("modelyard.yaml", "{data: data}", "{data: {production: there}}")
    assert run(["validate"]) == 65
    assert "there is no value for the environment `default`" in capsys.readouterr().out
    monkeypatch.setenv("MODELYARD_ENVIRONMENT", "production")
    assert run(["validate"]) == 0


def test_every_command_that_reads_a_project_tells_all_its_problems(
    here: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    here.replace("default.yaml", "label: bad", "label: bat").replace("history.yaml", "of: amount", "of: amuont")
    assert run(["plan"]) == 65
    told = capsys.readouterr().err
    assert told.startswith("error: 2 problems in 2 files\ndefault.yaml:6:")
    assert "history.yaml:7:" in told


def test_init_validate_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "first"]) == 0
    assert capsys.readouterr().err == "Next: cd first && modelyard validate && modelyard plan\n"
    monkeypatch.chdir(tmp_path / "first")
    assert run(["init", "--json"]) == 0
    assert "models/malignant.yaml" in json.loads(capsys.readouterr().out)["files"]
    assert run(["init", "../second project"]) == 0
    assert "Next: cd '../second project' && modelyard" in capsys.readouterr().err
    assert run(["validate"]) == 0
    assert run(["plan"]) == 2
    assert "Plan: 2 to create; 2 runs." in capsys.readouterr().out
    Path("README.md").write_text("mine")
    assert run(["init"]) == 64


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    assert "FeatureSet" in capsys.readouterr().out
    assert run(["explain", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 5
    assert run(["explain", "Model.seed"]) == 0
    assert capsys.readouterr().out.startswith("Model.seed: whole number\n")
    assert run(["explain", "Model.seed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "whole number"
    assert run(["explain", "Model.sed"]) == 64


def test_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Modelyard"
    assert run(["schema", "Source"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Source"
    assert run(["schema", "--write", str(tmp_path / "schemas")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(list((tmp_path / "schemas").iterdir())) == 6
    assert run(["schema", "--write", str(tmp_path / "schemas"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 6


def test_plan_beside_a_registry(here: SmallProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan"]) == 2
    assert "+ Model default: new, will be trained" in capsys.readouterr().out
    apply(here)
    here.replace("default.yaml", "kind: Model", "# Of loans.\nkind: Model")
    assert run(["plan"]) == 0
    assert capsys.readouterr().out == "Project small, environment default\nNo changes.\n"
    here.replace("default.yaml", "task:", "seed: 7\ntask:")
    assert run(["plan"]) == 2
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  ~ Model default: revision 2 (training), will be trained",
        "      seed: (not set) → 7",
        "Plan: 1 to update; 1 run.",
    ]
    here.write("default.yaml", None)
    assert run(["plan"]) == 2
    assert "- Model default: archived, its document is gone" in capsys.readouterr().out


def test_a_plan_sees_every_page_of_the_registry(here: SmallProject, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = ", ".join(map(str, range(120)))
    here.replace("default.yaml", "name: default", f"name: default_${{s}}\nfor_each: {{s: [{seeds}]}}\nseed: ${{s}}")
    apply(here)
    assert run(["plan"]) == 0
    assert capsys.readouterr().out.endswith("No changes.\n")


def test_plan_narrowed_saved_and_for_programs(
    here: SmallProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(here)
    here.replace("history.yaml", "window: 30d", "window: 60d")
    assert run(["plan", str(here.root / "default.yaml"), "--out", str(tmp_path / "plan.json"), "--json"]) == 2
    content = json.loads(capsys.readouterr().out)
    assert [(change["name"], change["because"]) for change in content["changes"]] == [
        ("history", []),
        ("default", ["history"]),
    ]
    assert json.loads((tmp_path / "plan.json").read_text())["digest"] == content["digest"]
    assert run(["plan", "--markdown"]) == 2
    told = capsys.readouterr().out
    assert told.startswith("### Plan for `small` (default)\n")
    assert "Outdated: default was trained before history changed" in told
    assert run(["plan", str(here.root / "modelyard.yaml")]) == 1


def test_plan_of_one_project_says_nothing_of_another(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    assert run(["plan", str(CONFIGS / "taiwan"), "--json"]) == 2
    content = json.loads(capsys.readouterr().out)
    assert {change["name"].split("_")[0] for change in content["changes"]} == {"taiwan"}
    assert content["unset"] == ["MODELYARD_DATA"]
