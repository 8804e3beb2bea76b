import re

import pytest

from modelyard.config.explain import Explanation, explain, render_explanation
from modelyard.config.kinds import KINDS
from modelyard.errors import UsageError


def every_field(path: str) -> list[Explanation]:
    explanation = explain(path)
    return [explanation, *(inner for field in explanation.fields for inner in every_field(field.path))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_at_every_depth_is_explained(kind: str) -> None:
    fields = every_field(kind)
    assert len(fields) > 5
    for field in fields:
        assert field.type
        assert field.description, field.path
        assert render_explanation(field).startswith(f"{field.path}: ")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("Model.data.labels.source", "Model.data.labels.source: text, required"),
        ("Model.data.from", "Model.data.from: date"),
        ("Model.resources.cpu", "Model.resources.cpu: number"),
        ("Model.data.labels.entity", "Model.data.labels.entity: text or list of text"),
        (
            "Source.columns",
            "Source.columns: mapping to one of string, integer, double, boolean, timestamp, date, required",
        ),
        ("Model.evaluation.gates[0].of", "Model.evaluation.gates.of: live"),
        ("model.with", "Model.with: mapping to anything"),
        ("Model.data.labels.positive", "Model.data.labels.positive: text or number or true or false"),
    ],
)
def test_the_first_line_is_the_type(path: str, line: str) -> None:
    assert render_explanation(explain(path)).splitlines()[0] == line


def test_a_field_shows_its_default_and_its_examples() -> None:
    text = render_explanation(explain("Model.resources.memory"))
    assert "Default: 4Gi" in text
    assert "Examples: 4Gi" in text
    assert "seed (whole number, default 0)" in render_explanation(explain("Model"))


def test_a_kind_shows_a_document() -> None:
    explanation = explain("FeatureSet")
    assert "kind: FeatureSet" in explanation.document
    assert re.search(r"^Example:\n {2}apiVersion: modelyard/v1$", render_explanation(explanation), re.MULTILINE)
    assert explain("FeatureSet.every").document == ""


@pytest.mark.parametrize("kind", KINDS)
def test_descriptions_are_no_wider_than_a_terminal(kind: str) -> None:
    lines = [line for field in every_field(kind) for line in render_explanation(field).splitlines()]
    described = [line for line in lines if line.startswith("      ") and ":" not in line]
    assert max(map(len, described)) <= 100


@pytest.mark.parametrize(
    ("path", "reason", "hint"),
    [
        ("Modle", "there is no kind `Modle`", "did you mean `Model`?"),
        ("Model.data.lables", "`Model.data` has no field `lables`", "did you mean `labels`?"),
        ("Model.seed.deeper", "`Model.seed` has no field `deeper`", "there is none to name"),
    ],
)
def test_an_unknown_name_gets_a_hint(path: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as told:
        explain(path)
    assert (told.value.reason, told.value.hint) == (reason, hint)


def test_the_content_is_json_without_what_is_not_there() -> None:
    content = explain("Model.scoring").content()
    assert content["path"] == "Model.scoring"
    assert [field["path"] for field in content["fields"]] == ["Model.scoring.schedule", "Model.scoring.population"]
    assert not {"default", "document"} & content.keys()
