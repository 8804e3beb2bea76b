from pathlib import Path

import pytest

from modelyard.config.kinds import Document, Model, Project, Source
from modelyard.config.validation import validate
from modelyard.config.yaml_reader import parse_documents

MODEL = """\
apiVersion: modelyard/v1
kind: Model
name: a
task: regression
data:
  labels: {source: loans, label: amount}
  features: [{source: loans}]
pipeline: [{use: sklearn.linear_model.Ridge}]
"""
SOURCE = "apiVersion: modelyard/v1\nkind: Source\nname: a\nformat: csv\npath: a.csv\ncolumns: {a: integer}\n"
PROJECT = "apiVersion: modelyard/v1\nkind: Project\nname: a\n"


def said(kind: type[Document], text: str) -> list[str]:
    (raw,) = parse_documents(text.encode(), Path("a.yaml")).documents
    read = validate(kind, raw.value, raw)
    findings = read if isinstance(read, list) else []
    assert all(finding.hint for finding in findings)
    return [str(problem).splitlines()[0].removeprefix("a.yaml:") for problem in raw.problems(findings)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seed: 1.5", "9:7  seed  a whole number is due, not the number `1.5`"),
        ("seed: -1", "9:7  seed  `-1` is not at least 0"),
        ("resources: {cpu: 0}", "9:18  resources.cpu  `0` is not greater than 0"),
        ("resources: {cpu: 1000}", "9:18  resources.cpu  `1000` is not at most 256"),
        ("resources: {timeout: 2 hours}", "9:22  resources.timeout  `2 hours` is not written as it must be"),
        ("resources: 4", "9:12  resources  a mapping is due, not the number `4`"),
        ("evaluation: {metrics: r2}", "9:23  evaluation.metrics  a list is due, not the text `r2`"),
        ("evaluation: {metrics: [r3]}", "9:24  evaluation.metrics[0]  `r3` is not one of its values"),
        ("evaluation: {cross_validation: {stratified: 1}}",
         "9:45  evaluation.cross_validation.stratified  true or false is due, not the number `1`"),
        ("evaluation: {gates: [{metric: r2, at_least: high}]}",
         "9:45  evaluation.gates[0].at_least  a number is due, not the text `high`"),
        ("owner: 7", "9:8  owner  text is due, not the number `7`"),
        ("owner: true", "9:8  owner  text is due, not the truth value `true`"),
        ("owner: [a]", "9:1  owner  text is due, not a list"),
        ("for_each: {m: [[a]]}", "9:16  for_each.m[0]  text, a number, true or false is due, not a list"),
        ("for_each: {M: [a]}", "9:12  for_each.M  `M` is not written as it must be"),
        ("resources: {timeout: 36501d}", "9:22  resources.timeout  `36501d` is not written as it must be"),
        (f"resources: {{timeout: {'9' * 20}d}}",
         f"9:22  resources.timeout  `{'9' * 20}d` is not written as it must be"),
        (f"owner: {'a' * 200}", f"9:8  owner  `{'a' * 100}…` is not written as it must be"),
        ("with: {a: 2026-01-31}", "9:11  with.a  text is due, not the date `2026-01-31`"),
        ("sceduling: x", "9:1  sceduling  `sceduling` is not a field of Model"),
        ("scoring: {schedule: 0 4 * * *}", "9:1  scoring.population  `population` is missing"),
        ("timezone: Mars/Olympus",
         "9:11  timezone  `Mars/Olympus` is not a timezone of the IANA database, such as Africa/Nairobi or UTC"),
    ],
)  # fmt: skip
def test_a_field_of_a_model_says_what_is_due(line: str, expected: str) -> None:
    assert said(Model, MODEL + line) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[{source: loans}]", "[]", "7:3  data.features  it is empty"),
        ("[{source: loans}]", "[3]", "7:14  data.features[0]  text is due, not the number `3`"),
        ("[{source: loans}]", "[{sauce: loans}]", "7:14  data.features[0].source  `source` is missing"),
        ("label: amount}", "entity: [a, 3], label: a}", "6:39  data.labels.entity[1]  text is due, not the number `3`"),
        ("label: amount}", "label: a, positive: [1]}",
         "6:37  data.labels.positive  text, a number, true or false is due, not a list"),
        ("label: amount}", 'label: ""}', "6:34  data.labels.label  it is empty"),
        ("use: sklearn.linear_model.Ridge", "use: Ridge",
         "8:18  pipeline[0].use  `Ridge` is not written as it must be"),
        ("{use: sklearn.linear_model.Ridge}", "{columns: {numeric: [{use: Ridge}]}}",
         "8:39  pipeline[0].columns.numeric[0].use  `Ridge` is not written as it must be"),
        ("{use: sklearn.linear_model.Ridge}", "{columns: {numeric: []}}",
         "8:23  pipeline[0].columns.numeric  it is empty"),
        ("name: a", f"name: a{'b' * 63}", f"3:7  name  `a{'b' * 63}` is not written as it must be"),
        ("label: amount}", f"label: {'a' * 129}}}", "6:34  data.labels.label  it is longer than 128 characters"),
    ],
)  # fmt: skip
def test_a_part_of_a_model_says_what_is_due(old: str, new: str, expected: str) -> None:
    assert expected in said(Model, MODEL.replace(old, new))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("vars: {a: {env: data}}", "4:17  vars.a.env  `data` is not written as it must be"),
        ("vars: {a: {dev: {env: A, defalt: 1}}}", "4:26  vars.a.dev.defalt  `defalt` is not a field of vars.a.dev"),
        ("vars: {a: {}}", "4:8  vars.a  it is empty"),
        ("vars: {a: [1]}", "4:8  vars.a  text, a number, true or false is due, not a list"),
        ("modules: [../a]", "4:11  modules[0]  `../a` is not written as it must be"),
        ("defaults: {owner: A B}", "4:19  defaults.owner  `A B` is not written as it must be"),
    ],
)
def test_a_part_of_a_project_says_what_is_due(lines: str, expected: str) -> None:
    assert said(Project, PROJECT + lines) == [expected]


def test_several_mistakes_are_found_together() -> None:
    text = SOURCE.replace("csv\n", "cvs\n", 1).replace("integer", "int").replace("path: a.csv\n", "") + "x: 1\n"
    assert said(Source, text) == [
        "4:9  format  `cvs` is not one of its values",
        "1:1  path  `path` is missing",
        "5:14  columns.a  `int` is not one of its values",
        "6:1  x  `x` is not a field of Source",
    ]


def test_what_waits_for_an_environment_variable_is_named_by_it() -> None:
    (raw,) = parse_documents(SOURCE.encode(), Path("a.yaml")).documents
    findings = validate(Source, {**raw.value, "format": "${env:FORMAT}"}, raw)
    assert isinstance(findings, list)
    assert findings[0].reason == "the value needs the environment variable FORMAT, which is not set"
