import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from modelyard.config.examples import example, example_text
from modelyard.config.json_schema import (
    ANY_KIND,
    editor_schema,
    kind_schema,
    schema_file,
    schema_text,
    schemas_at,
    schemas_by_file,
    write_schemas,
)
from modelyard.config.kinds import KINDS
from modelyard.config.loader import load_project
from modelyard.config.yaml_reader import read_documents
from modelyard.errors import UsageError

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted((ROOT / "configs").rglob("*.yaml"))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=date.isoformat))


def validator(name: str) -> Draft202012Validator:
    schemas = {file: json.loads(text) for file, text in schemas_by_file().items()}
    resources = [(file, Resource.from_contents(schema)) for file, schema in schemas.items()]
    return Draft202012Validator(schemas[name], registry=Registry().with_resources(resources))


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, inner in schema.get("properties", {}).items():
            yield f"{path}.{name}", inner
        for key, inner in schema.items():
            if key not in ("examples", "default"):
                yield from properties(inner, f"{path}.{key}")


def test_the_schemas_of_the_repository_are_current() -> None:
    assert {path.name: path.read_text() for path in (ROOT / "schemas").iterdir()} == schemas_by_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_and_describes_every_field(kind: str) -> None:
    schema = editor_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert (schema["title"], bool(schema["description"])) == (kind, True)
    undescribed = [path for path, field in properties(schema) if not field.get("description") and "$ref" not in field]
    assert undescribed == []
    assert [path for path, field in properties(schema) if "title" in field] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_documents_of_this_repository_fit_the_schema_that_they_name(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    named = path.parent / first.partition("$schema=")[2]
    assert named.resolve().parent == ROOT / "schemas"
    for raw in read_documents(path).documents:
        assert named.name == schema_file(raw.value["kind"])
        for name in (named.name, ANY_KIND):
            assert [error.message for error in validator(name).iter_errors(plain(raw.value))] == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Model", {"task": "binary"}),
        ("Model", {"taks": "regression"}),
        ("Model", {"seed": "1"}),
        ("Model", {"name": "Loan"}),
        ("Model", {"for_each": {"Market": ["ke"]}}),
        ("Model", {"resources": {"memory": "4GB"}}),
        ("Model", {"apiVersion": "${version}"}),
        ("Source", {"columns": {"a": "float"}}),
        ("FeatureSet", {"every": "1 day"}),
        ("Architecture", {"pipeline": [{"used": "a.b"}]}),
        ("Project", {"vars": {"data": {"env": "data"}}}),
    ],
)
def test_a_schema_finds_what_the_loader_finds(kind: str, change: dict[str, Any]) -> None:
    document = {**example(kind), **change}
    assert list(validator(schema_file(kind)).iter_errors(document))
    assert list(validator(ANY_KIND).iter_errors(document))


@pytest.mark.parametrize("change", [{"seed": "${seed}"}, {"task": "${task}"}, {"resources": {"cpu": "${cores}"}}])
def test_a_variable_may_stand_where_a_scalar_may(change: dict[str, Any]) -> None:
    assert list(validator("model.json").iter_errors({**example("Model"), **change})) == []


def test_the_examples_are_a_project(tmp_path: Path) -> None:
    for kind in KINDS:
        name = "modelyard" if kind == "Project" else kind
        (tmp_path / f"{name}.yaml").write_text(example_text(kind))
        assert list(validator(schema_file(kind)).iter_errors(example(kind))) == []
    assert len(load_project(tmp_path, variables={}).models) == 3


def test_what_may_stand_at_a_path_is_found_through_lists_and_unions() -> None:
    (columns,) = schemas_at("Model", ("data", "features", 0, "columns"))
    assert columns["type"] == "array"
    assert [schema["type"] for schema in schemas_at("Project", ("vars", "data"))].count("object") == 2
    assert schemas_at("Source", ("columns", "anything"))[0]["enum"][0] == "string"
    assert schemas_at("Source", ("nothing",)) == []


def test_a_schema_is_printed_by_its_kind_in_any_case() -> None:
    assert json.loads(schema_text("featureset"))["title"] == "FeatureSet"
    assert json.loads(schema_text(None))["properties"]["kind"]["enum"] == list(KINDS)
    with pytest.raises(UsageError, match="there is no kind `Modl`") as told:
        schema_text("Modl")
    assert told.value.hint == "did you mean `Model`?"


def test_writing_leaves_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "own.json").write_text("{}")
    assert {path.name for path in write_schemas(folder)} == schemas_by_file().keys()
    assert {path.name for path in folder.iterdir()} == {*schemas_by_file(), "own.json"}


def test_nothing_is_required_that_has_a_default() -> None:
    for kind in KINDS:
        schema = kind_schema(kind)
        assert [name for name in schema["required"] if "default" in schema["properties"][name]] == []
