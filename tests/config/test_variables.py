from typing import Any

import pytest

from modelyard.config.kinds import Project
from modelyard.config.variables import Variables, read_variables


def read(variables: dict[str, Any], environment: str = "default", process: dict[str, str] | None = None) -> Variables:
    document = {"apiVersion": "modelyard/v1", "kind": "Project", "name": "a", "vars": variables}
    return read_variables(Project.model_validate(document), environment, process or {})


def test_a_value_is_the_same_everywhere_or_one_for_each_environment() -> None:
    variables = {"a": 1, "b": {"default": "here", "production": "there"}}
    assert read(variables) == ({"a": 1, "b": "here"}, [])
    assert read(variables, "production") == ({"a": 1, "b": "there"}, [])
    assert read(variables, "staging") == ({"a": 1, "b": "here"}, [])


def test_an_environment_without_a_value_is_a_problem() -> None:
    (finding,) = read({"b": {"production": "there"}}, "prodction").findings
    assert finding == (
        ("vars", "b"),
        "there is no value for the environment `prodction`",
        "did you mean `production`?",
        False,
    )


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [(None, "7", "7"), ("a", "7", "7"), (1, "7", 7), (0.5, "7", 7.0), (True, "false", False), (1, "", 1)],
)
def test_an_environment_variable_has_the_type_of_its_default(default: object, text: str, value: object) -> None:
    declared = {"env": "X"} if default is None else {"env": "X", "default": default}
    read_value = read({"a": declared}, process={"X": text}).values["a"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_one_that_is_not_set_has_its_default_or_waits() -> None:
    variables = {"a": {"env": "X", "default": 3}, "b": {"env": "X"}, "c": {"production": {"env": "Y"}, "default": "c"}}
    assert read(variables) == ({"a": 3, "b": "${env:X}", "c": "c"}, [])
    assert read(variables, "production", {"Y": "y"}).values["c"] == "y"


@pytest.mark.parametrize(("default", "text"), [(1, "many"), (1, "1.5"), (0.5, "nan"), (True, "yes")])
def test_text_of_another_type_is_a_problem(default: object, text: str) -> None:
    read_values = read({"a": {"env": "X", "default": default}}, process={"X": text})
    assert read_values.values == {"a": ""}
    (finding,) = read_values.findings
    assert f"the environment variable X holds `{text}`" in finding.reason
