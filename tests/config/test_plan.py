import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelyard.config.plan import Action, Held, HeldFeatureSet, HeldModel, Plan, check_applicable, make_plan
from modelyard.config.plan_file import SavedPlan, save_plan
from modelyard.config.plan_report import render_markdown, render_plan
from modelyard.config.project import LoadedProject
from modelyard.errors import Conflict, InvalidData
from tests.config.conftest import SmallProject

NOTHING = Held({}, {})


def applied(project: LoadedProject, revision: int = 1, *, trained: bool = True) -> Held:
    """What a registry holds once a project was applied."""

    def stored(content: dict[str, Any]) -> Mapping[str, Any]:
        stored_content: dict[str, Any] = json.loads(json.dumps(content))
        return stored_content

    return Held(
        {
            name: HeldModel(name, project.name, revision, stored(definition.content()), trained=trained)
            for name, definition in project.models.items()
        },
        {
            name: HeldFeatureSet(name, project.name, revision, definition.digest, stored(definition.content()))
            for name, definition in project.feature_sets.items()
        },
    )


def told(plan: Plan) -> list[str]:
    """A plan's lines between the first and the last."""
    return [line.strip() for line in render_plan(plan).splitlines()[1:-1]]


def test_a_new_project_is_created(small: SmallProject) -> None:
    plan = make_plan(small.load(), NOTHING)
    assert told(plan) == ["+ FeatureSet history: new, version 1", "+ Model default: new, will be trained"]
    assert render_plan(plan).splitlines()[-1] == "Plan: 2 to create; 1 run."


def test_an_applied_project_has_no_changes(small: SmallProject) -> None:
    held = applied(small.load())
    for file in ("default.yaml", "history.yaml", "loans.yaml", "logistic.yaml", "modelyard.yaml"):
        text = (small.root / file).read_text()
        (small.root / file).write_text(f"# A comment.\n{text}\n# Another one.\n")
    small.replace("default.yaml", "task:", "seed: 0   # the default, said\ntask:")
    plan = make_plan(small.load(), held)
    assert not plan.has_changes
    assert render_plan(plan).splitlines() == ["Project small, environment default", "No changes."]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("default.yaml", "architecture: logistic", "architecture: logistic\nwith: {strength: 0.1}", [
            "~ Model default: revision 4 (training), will be trained",
            'with: (not set) → {"strength": 0.1}',
            "pipeline[0].with.C: 1.0 → 0.1",
        ]),
        ("logistic.yaml", "strength: 1.0", "strength: 0.5", [
            "~ Model default: revision 4 (training), will be trained",
            "pipeline[0].with.C: 1.0 → 0.5",
        ]),
        ("default.yaml", "positive: 1", 'positive: 1, where: "amount > 1"', [
            "~ Model default: revision 4 (training), will be trained",
            'data.labels.where: (not set) → "amount > 1"',
        ]),
        ("default.yaml", "task:", "owner: other-team\nresources: {cpu: 2}\npromotion: manual\ntask:", [
            "~ Model default: revision 4 (deployment), no training",
            'owner: (not set) → "other-team"',
            'promotion: (not set) → "manual"',
            'resources: (not set) → {"cpu": 2.0}',
        ]),
        ("default.yaml", "task:",
         'scoring: {schedule: "0 4 * * *", population: {source: loans, entity: borrower_id}}\ntask:', [
            "~ Model default: revision 4 (deployment), no training",
            'scoring: (not set) → {"schedule": "0 4 * * *", "population": {"source": "loans",…',
        ]),
        ("default.yaml", "task:", "description: Of loans.\ntask:", [
            "~ Model default: revision 4 (prose), no training",
            'description: "" → "Of loans."',
        ]),
        ("loans.yaml", "path: ${data}", "path: other", [
            "~ FeatureSet history: version 3 stays, its values are the same",
            'sources.loans.path: "data/loans.parquet" → "other/loans.parquet"',
            "~ Model default: revision 4 (deployment), no training",
            'sources.loans.path: "data/loans.parquet" → "other/loans.parquet"',
        ]),
    ],
)  # fmt: skip
def test_a_changed_field_means_what_it_is_part_of(
    small: SmallProject, file: str, old: str, new: str, expected: list[str]
) -> None:
    held = applied(small.load(), revision=3)
    assert told(make_plan(small.replace(file, old, new).load(), held)) == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "run"),
    [
        ("default.yaml", "task:", "resources: {memory: 8Gi}\ntask:", True),
        ("loans.yaml", "path: ${data}", "path: other", True),
        ("default.yaml", "task:", "promotion: manual\ntask:", False),
        ("default.yaml", "task:", "description: Of loans.\ntask:", False),
    ],
)
def test_what_may_mend_a_run_is_tried_where_nothing_was_made_yet(
    small: SmallProject, file: str, old: str, new: str, run: bool
) -> None:
    held = applied(small.load(), trained=False)
    (change,) = (
        change for change in make_plan(small.replace(file, old, new).load(), held).changes if change.kind == "Model"
    )
    assert change.run is run


def test_a_parameter_that_comes_to_the_same_pipeline_changes_nothing(small: SmallProject) -> None:
    held = applied(small.load())
    small.replace("default.yaml", "architecture: logistic", "architecture: logistic\nwith: {strength: 1.0}")
    assert not make_plan(small.load(), held).has_changes


def test_a_changed_feature_set_gets_a_version_and_leaves_models_outdated(small: SmallProject) -> None:
    held = applied(small.load(), revision=3)
    project = small.replace("history.yaml", "window: 30d", "window: 60d").load()
    plan = make_plan(project, held)
    assert told(plan) == [
        "~ FeatureSet history: version 4 follows 3",
        'document.aggregations[0].window: "30d" → "60d"',
        "Outdated: default was trained before history changed; select it to train it.",
    ]
    assert plan.outdated == {"default": ("history",)}
    selected = make_plan(project, held, {("Model", "default")})
    assert told(selected)[2:] == ["~ Model default: revision 4, with history changed, will be trained"]
    assert selected.outdated == {}


def test_a_model_stays_outdated_until_it_is_trained(small: SmallProject) -> None:
    before = applied(small.load())
    project = small.replace("history.yaml", "window: 30d", "window: 60d").load()
    held = Held(before.models, applied(project).feature_sets)
    plan = make_plan(project, held)
    assert not plan.has_changes
    assert plan.outdated == {"default": ("history",)}


def test_upkeep_of_a_feature_set_leaves_its_version(small: SmallProject) -> None:
    held = applied(small.load(), revision=3)
    project = small.replace("history.yaml", "entity:", "description: Of wallets.\nowner: wallets\nentity:").load()
    plan = make_plan(project, held)
    assert told(plan) == [
        "~ FeatureSet history: version 3 stays, its values are the same",
        'document.description: (not set) → "Of wallets."',
        'document.owner: (not set) → "wallets"',
    ]
    assert plan.outdated == {}
    assert not make_plan(project, applied(project)).has_changes


def test_a_document_that_is_gone_is_archived_by_name(small: SmallProject) -> None:
    held = applied(small.load(), revision=2)
    small.write("default.yaml", None).write("history.yaml", None)
    plan = make_plan(small.load(), held)
    assert told(plan) == [
        "- FeatureSet history: archived, its document is gone",
        "- Model default: archived, its document is gone",
    ]
    assert [(change.action, change.held, change.run) for change in plan.changes] == [(Action.ARCHIVE, 2, False)] * 2


def test_a_narrowed_plan_archives_nothing(small: SmallProject) -> None:
    text = (small.root / "default.yaml").read_text()
    (small.root / "other.yaml").write_text(text.replace("name: default", "name: other"))
    held = applied(small.load())
    small.write("default.yaml", None).replace("other.yaml", "task:", "seed: 1\ntask:")
    project = small.load()
    narrowed = make_plan(project, held, project.narrowed_to(small.root / "other.yaml"))
    assert [(change.name, change.action) for change in narrowed.changes] == [("other", Action.UPDATE)]
    assert make_plan(project, held, project.narrowed_to(small.root / "history.yaml")).changes == ()
    whole = {change.name: change.action for change in make_plan(project, held).changes}
    assert whole == {"other": Action.UPDATE, "default": Action.ARCHIVE}


def test_a_selected_model_brings_the_feature_sets_that_it_needs(small: SmallProject) -> None:
    (small.root / "deep.sql.j2").write_text("select borrower_id, 1 as one from {{ ref('history') }}")
    small.write("deep.yaml", "kind: FeatureSet\nname: deep\nentity: borrower_id\nquery: deep.sql.j2\n")
    small.replace("default.yaml", "[history]", "[deep]")
    plan = make_plan(small.load(), NOTHING, {("Model", "default")})
    assert [change.name for change in plan.changes] == ["deep", "history", "default"]


def test_what_was_archived_comes_back(small: SmallProject) -> None:
    project = small.load()
    held = applied(project)
    held = Held(
        {name: replace(model, archived=True) for name, model in held.models.items()},
        {name: replace(known, archived=True) for name, known in held.feature_sets.items()},
    )
    plan = make_plan(project, held)
    assert told(plan) == ["+ FeatureSet history: in use again", "+ Model default: in use again, will be trained"]
    small.write("default.yaml", None).write("history.yaml", None)
    assert not make_plan(small.load(), held).has_changes


def test_models_of_other_projects_stay_as_they_are(small: SmallProject) -> None:
    project = small.load()
    others = applied(project)
    held = Held(
        {"theirs": replace(others.models["default"], name="theirs", project="other")},
        {"their_set": replace(others.feature_sets["history"], name="their_set", project="other")},
    )
    assert [change.action for change in make_plan(project, held).changes] == [Action.CREATE, Action.CREATE]
    mine = Held({"default": replace(others.models["default"], project="other")}, {})
    with pytest.raises(Conflict, match="the model `default` belongs to the project `other`"):
        make_plan(project, mine)


def test_a_definition_that_cannot_be_read_any_more_is_written_anew(small: SmallProject) -> None:
    project = small.load()
    held = applied(project)
    strange = replace(held.models["default"], definition={"document": {"kind": "Model", "of": "another age"}})
    (change,) = make_plan(project, replace(held, models={"default": strange})).changes
    assert (change.action, change.run) == (Action.UPDATE, True)


# Variables that wait -----------------------------------------------------------------------------------------------


def test_what_waits_for_an_environment_variable_is_not_compared_and_not_applied(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "{data: data}", "{data: {env: BUCKET}}")
    held = applied(small.load(variables={"BUCKET": "s3"}))
    plan = make_plan(small.load(), held)
    assert told(plan) == ["Not compared: what needs BUCKET, which is not set."]
    project = small.load()
    with pytest.raises(InvalidData, match="the feature set `history` needs the environment variable BUCKET"):
        check_applicable(project, make_plan(project, NOTHING))
    ready = small.load(variables={"BUCKET": "s3"})
    check_applicable(ready, make_plan(ready, NOTHING))
    check_applicable(project, replace(make_plan(project, NOTHING), changes=()))


def test_a_model_that_waits_is_not_applied(small: SmallProject) -> None:
    small.replace("modelyard.yaml", "{data: data}", "{data: data, who: {env: WHO}}")
    small.replace("default.yaml", "task:", "description: By ${who}.\ntask:")
    project = small.load()
    with pytest.raises(InvalidData, match="the model `default` needs the environment variable WHO"):
        check_applicable(project, make_plan(project, NOTHING))


# Saved plans -------------------------------------------------------------------------------------------------------


def test_a_saved_plan_is_good_until_something_changes(small: SmallProject, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    project = small.load()
    save_plan(make_plan(project, NOTHING), file)
    saved = SavedPlan(file)
    assert (saved.project, saved.environment, saved.only) == ("small", "default", None)
    saved.refuse_stale(make_plan(small.load(), NOTHING, saved.only))
    with pytest.raises(Conflict, match="changed since"):
        saved.refuse_stale(make_plan(project, applied(project)))
    with pytest.raises(Conflict, match="changed since"):
        saved.refuse_stale(make_plan(small.replace("default.yaml", "task:", "seed: 1\ntask:").load(), NOTHING))
    assert list(tmp_path.glob(".plan*")) == []


def test_a_saved_selection_is_part_of_the_plan(small: SmallProject, tmp_path: Path) -> None:
    project = small.load()
    only = frozenset({("Model", "default")})
    save_plan(make_plan(project, NOTHING, only), tmp_path / "plan.json")
    saved = SavedPlan(tmp_path / "plan.json")
    assert saved.only == only
    saved.refuse_stale(make_plan(project, NOTHING, saved.only))
    with pytest.raises(Conflict):
        saved.refuse_stale(make_plan(project, NOTHING))


def test_another_project_s_change_does_not_make_a_plan_stale(small: SmallProject) -> None:
    project = small.load()
    theirs = replace(applied(project).models["default"], name="theirs", project="other", revision=9)
    assert make_plan(project, NOTHING).digest == make_plan(project, Held({"theirs": theirs}, {})).digest


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"layout": 99, "digest": "", "project": "", "environment": "", "only": null}']
)
def test_another_file_is_no_saved_plan(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(InvalidData, match=r"no saved plan|another version"):
        SavedPlan(file)


# Reports -----------------------------------------------------------------------------------------------------------


def test_markdown_has_a_line_for_each_change(small: SmallProject) -> None:
    held = applied(small.load())
    small.replace("default.yaml", "task:", "seed: 1\ndescription: a `quoted` word\ntask:")
    lines = render_markdown(make_plan(small.load(), held)).splitlines()
    assert lines[0] == "### Plan for `small` (default)"
    assert lines[2] == "- **update** Model `default`: revision 2 (training, prose), will be trained"
    assert "  - `seed: (not set) → 1`" in lines
    assert '  - `description: "" → "a \'quoted\' word"`' in lines
    assert lines[-1] == "**Plan: 1 to update; 1 run.**"


def test_the_content_is_plain_json(small: SmallProject) -> None:
    plan = make_plan(small.load(), NOTHING, {("Model", "default")})
    content = json.loads(json.dumps(plan.content()))
    assert content["only"] == [["Model", "default"]]
    assert content["changes"][1] == {
        "kind": "Model", "name": "default", "action": "create", "held": 0, "parts": [], "run": True, "fields": [],
        "because": [],
    }  # fmt: skip
    assert content["digest"] == plan.digest
