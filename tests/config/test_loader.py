import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from modelyard.config.bundles import bundle_digest, read_bundle
from modelyard.config.definitions import ModelDefinition
from modelyard.config.kinds import Use
from modelyard.config.loader import load_project
from modelyard.config.substitution import unset_variables
from modelyard.errors import NotFound
from tests.config.conftest import SmallProject

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.mark.parametrize("name", ["iris", "lender", "taiwan"])
def test_the_projects_of_this_repository_are_sound(name: str) -> None:
    project = load_project(CONFIGS / name, variables={})
    assert project.name == name
    assert project.warnings == ()
    for definition in project.models.values():
        again = ModelDefinition.model_validate(json.loads(json.dumps(definition.content())))
        assert again == definition
        assert (again.training, again.deployment) == (definition.training, definition.deployment)


def test_a_sound_project_is_resolved(small: SmallProject) -> None:
    project = small.load()
    model = project.models["default"]
    assert project.origins["Model", "default"] == small.root / "default.yaml"
    assert project.sources["loans"].path == "data/loans.parquet"
    assert (model.sources, list(model.feature_sets)) == ({"loans": project.sources["loans"]}, ["history"])
    assert model.pipeline == (
        Use.model_validate({"use": "sklearn.linear_model.LogisticRegression", "with": {"C": 1.0}}),
    )
    assert model.feature_sets["history"].document.aggregations[0].window == timedelta(days=30)


def test_defaults_of_the_project_are_filled_in(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "modules:", "defaults: {owner: credit, timezone: Africa/Nairobi}\nmodules:")
    small.replace("default.yaml", "task:", "owner: own-team\ntask:")
    project = small.load()
    model, history = project.models["default"], project.feature_sets["history"]
    assert (model.owner, model.timezone) == ("own-team", "Africa/Nairobi")
    assert (history.document.owner, history.timezone) == ("credit", "Africa/Nairobi")
    assert project.sources["loans"].owner == project.architectures["logistic"].owner == "credit"


def test_one_document_makes_a_model_for_each_combination(small: SmallProject) -> None:
    small.replace("default.yaml", "name: default", "name: ${m}_${d}\nfor_each: {m: [ke, gh], d: [1, 2]}\nseed: ${d}")
    small.replace("default.yaml", "positive: 1}", "positive: 1, where: \"market = '${m}'\"}")
    models = small.load().models
    assert sorted(models) == ["gh_1", "gh_2", "ke_1", "ke_2"]
    document = models["gh_2"].document
    assert (document.seed, document.data.labels.where, document.for_each) == (2, "market = 'gh'", {})


def test_a_value_of_for_each_may_be_a_variable(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "{data: data}", "{data: data, market: ke}")
    small.replace("default.yaml", "name: default", 'name: ${m}_default\nfor_each: {m: ["${market}"]}')
    assert sorted(small.load().models) == ["ke_default"]


def test_a_parameter_keeps_its_type_and_builds_what_it_holds(small: SmallProject) -> None:
    small.replace(
        "default.yaml", "architecture: logistic", "architecture: logistic\nwith: {strength: {use: sklearn.svm.SVC}}"
    )
    (step,) = small.load().models["default"].pipeline
    assert isinstance(step, Use)
    assert step.with_ == {"C": {"use": "sklearn.svm.SVC"}}
    small.replace("default.yaml", "sklearn.svm.SVC", "os.system")
    assert small.said() == ["default.yaml with: `os.system` is in no module that this project allows"]


def test_an_escape_survives_into_the_pipeline(small: SmallProject) -> None:
    small.replace("logistic.yaml", 'C: "${strength}"', 'C: "${strength}", penalty: "$${strength}-${data}"')
    (step,) = small.load().models["default"].pipeline
    assert isinstance(step, Use)
    assert step.with_ == {"C": 1.0, "penalty": "${strength}-data"}


def test_the_modules_of_the_project_are_pinned_where_they_are_used(small: SmallProject) -> None:
    (small.root / "lib" / "woe").mkdir(parents=True)
    (small.root / "lib" / "woe" / "encoder.py").write_text("class Woe: ...\n")
    small.replace("modelyard.yaml", "[sklearn]", "[sklearn, ./lib/woe]")
    assert small.load().models["default"].bundles == {}
    small.replace("logistic.yaml", "pipeline:\n", "pipeline:\n  - {use: lib.woe.encoder.Woe}\n")
    digest = bundle_digest(read_bundle(small.root, "./lib/woe"))
    assert small.load().models["default"].bundles == {"./lib/woe": digest}


def test_environments_choose_values(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "{data: data}", "{data: {default: here, production: {env: BUCKET}}}")
    assert small.load().sources["loans"].path == "here/loans.parquet"
    assert small.load("production", {"BUCKET": "there"}).sources["loans"].path == "there/loans.parquet"


def test_a_variable_that_waits_holds_up_nobody_who_only_checks(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "{data: data}", "{data: {env: BUCKET}}")
    project = small.load()
    assert unset_variables(project.models["default"].content()) == {"BUCKET"}
    small.replace("default.yaml", "task:", "timezone: ${data}\ntask:")
    (problem,) = small.problems()
    assert problem.field == "timezone"
    assert "BUCKET, which is not set" in problem.reason


def test_a_source_that_does_not_say_when_rows_became_known_is_a_warning(small: SmallProject) -> None:
    small.replace("loans.yaml", "available: at\n", "")
    (warning,) = small.load().warnings
    assert (warning.file.name, warning.line) == ("loans.yaml", 1)
    assert "counts as known at its timestamp" in warning.reason


def test_what_names_a_broken_document_is_not_wrong_itself(small: SmallProject) -> None:
    small.replace("loans.yaml", "format: parquet", "format: parkett")
    assert small.said() == ["loans.yaml format: `parkett` is not one of its values"]
    small.replace("loans.yaml", "format: parkett", "format: [")
    assert [problem.file.name for problem in small.problems()] == ["loans.yaml"]
    small.write("history.yaml", "kind: FeatureSet\nname: history\nentity: borrower_id\nquery: missing.sql.j2\n")
    assert [problem.file.name for problem in small.problems()] == ["history.yaml", "loans.yaml"]


def test_a_broken_project_document_spares_what_needs_no_part_of_it(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "modules: [sklearn]", "modules: {}\nextra: 1")
    small.replace("default.yaml", "task: binary_classification", "task: binary")
    assert small.said() == [
        "default.yaml task: `binary` is not one of its values",
        "modelyard.yaml modules: a list is due, not a mapping",
        "modelyard.yaml extra: `extra` is not a field of Project",
    ]
    small.replace("modelyard.yaml", "vars: {data: data}", "vars: {data: [data]}")
    assert "modelyard.yaml vars.data: text, a number, true or false is due, not a list" in small.said()
    assert not any("there is no variable" in said for said in small.said())


def test_the_project_document_stands_first_and_alone(small: SmallProject) -> None:
    small.write("modelyard.yaml", "kind: Source\nname: x\nformat: csv\npath: a.csv\ncolumns: {a: integer}\n")
    assert "modelyard.yaml : modelyard.yaml holds no document of kind Project" in small.said()
    (small.root / "modelyard.yaml").write_text("kind: [\n")
    assert [problem.file.name for problem in small.problems()] == ["modelyard.yaml"]
    head = "apiVersion: modelyard/v1\nkind: Project\nname: a\nmodules: [sklearn]\nvars: {data: data}\n"
    (small.root / "modelyard.yaml").write_text(f"{head}---\n{head}")
    assert small.said() == ["modelyard.yaml kind: a project has one document of kind Project"]
    (small.root / "modelyard.yaml").write_text(head.replace("vars: {data: data}", 'vars: {data: "${data}"}'))
    assert small.said() == ["modelyard.yaml vars: nothing is inserted into modelyard.yaml"]


def test_names_are_unique_in_a_kind_only(small: SmallProject) -> None:
    small.replace("logistic.yaml", "name: logistic", "name: default").replace("default.yaml", ": logistic", ": default")
    assert sorted(small.load().architectures) == ["default"]
    (small.root / "again.yaml").write_text((small.root / "default.yaml").read_text())
    (problem,) = small.problems()
    assert (problem.file.name, problem.field, problem.reason) == (
        "default.yaml",
        "name",
        "there is another Model `default`",
    )
    assert problem.hint.startswith("in again.yaml, line 1")


def test_queries_are_part_of_definitions(small: SmallProject) -> None:
    (small.root / "total.sql.j2").write_text(
        "select borrower_id, 1 as one from {{ source('loans') }}, {{ ref('history') }}"
    )
    small.write("total.yaml", "kind: FeatureSet\nname: total\nentity: borrower_id\nquery: total.sql.j2\n")
    small.replace("default.yaml", "[history]", "[history, total]")
    definition = small.load().models["default"].feature_sets["total"]
    assert definition.query == (small.root / "total.sql.j2").read_text()
    assert (list(definition.sources), list(definition.refs)) == (["loans"], ["history"])
    digest = definition.digest
    small.replace("history.yaml", "how: sum", "how: avg")
    assert small.load().feature_sets["total"].digest != digest


def test_a_set_may_refer_to_one_that_refers_to_a_circle(small: SmallProject) -> None:
    for name, ref in (("a", "b"), ("b", "c"), ("c", "b")):
        (small.root / f"{name}.sql.j2").write_text("select borrower_id from {{ ref('REF') }}".replace("REF", ref))
        small.write(f"{name}.yaml", f"kind: FeatureSet\nname: {name}\nentity: borrower_id\nquery: {name}.sql.j2\n")
    assert small.said() == ["b.sql.j2 : feature sets refer to each other in a circle: b → c → b"]


def test_a_path_narrows_a_project(small: SmallProject) -> None:
    project = small.load()
    model, history = ("Model", "default"), ("FeatureSet", "history")
    assert project.narrowed_to(None) is None
    assert project.narrowed_to(small.root) is None
    assert project.narrowed_to(small.root.parent) is None
    assert project.narrowed_to(small.root / "default.yaml") == frozenset({model})
    assert project.narrowed_to(small.root / "history.yaml") == frozenset({history})
    assert project.narrowed_to(small.root / "logistic.yaml") == frozenset({model})
    assert project.narrowed_to(small.root / "loans.yaml") == frozenset({model, history})
    with pytest.raises(NotFound, match="no document of the project `small` lies in"):
        project.narrowed_to(small.root / "nowhere")


def test_dates_are_dates(small: SmallProject) -> None:
    small.replace("default.yaml", "data:\n", "data:\n  from: 2026-01-31\n")
    assert small.load().models["default"].document.data.from_ == date(2026, 1, 31)
