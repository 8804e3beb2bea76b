"""JSON Schemas (draft 2020-12) of the kinds, made from the code: for editors, for `explain`, for hints in errors.

`schemas_by_file` is what is written into `schemas/`: a file for each kind, and `modelyard.json` for any of them.
"""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from modelyard.config.examples import example, snake_case
from modelyard.config.kinds import KINDS
from modelyard.errors import UsageError
from modelyard.files import writing_whole
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from modelyard.config.problems import FieldPath

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ANY_KIND = "modelyard.json"

_FIRST = ("apiVersion", "kind", "name", "description")
_VERBATIM = frozenset({"default", "examples", "enum", "const", "required", "propertyNames"})
_NEVER_INSERTED = frozenset({"apiVersion", "kind"})
_INSERTION = {
    "type": "string",
    "pattern": r"\$\{[a-z][a-z0-9_]*\}",
    "description": "A variable of modelyard.yaml, of `for_each` or of the architecture's parameters.",
}


@cache
def kind_schema(kind: str) -> Schema:
    """The schema of a kind's documents as they are once every variable is inserted.

    Args:
        kind: The kind, as in `KINDS`.
    """
    schema: Schema = _tidy(KINDS[kind].model_json_schema(by_alias=True))
    properties = schema["properties"]
    order = [*_FIRST, *(name for name in properties if name not in _FIRST)]
    return {
        "$schema": DRAFT,
        "title": kind,
        "description": inspect.cleandoc(KINDS[kind].__doc__ or ""),
        **{key: value for key, value in schema.items() if key not in ("title", "description", "properties", "$defs")},
        "properties": {name: properties[name] for name in order},
        "$defs": dict(sorted(schema.get("$defs", {}).items())),
    }


def editor_schema(kind: str) -> Schema:
    """The schema of a kind's documents as people write them: `${name}` may stand wherever a scalar may."""
    schema = {**kind_schema(kind), "examples": [example(kind)]}
    if kind == "Project":
        return schema  # it declares the variables, and uses none
    opened: Schema = _with_insertions(schema)
    return {**opened, "$defs": {**opened["$defs"], "Insertion": _INSERTION}}


def schema_file(kind: str) -> str:
    """The name of a kind's schema file: `feature_set.json` for FeatureSet."""
    return f"{snake_case(kind)}.json"


def schemas_by_file() -> dict[str, str]:
    """The text of every schema file, by its name."""
    schemas = {schema_file(kind): editor_schema(kind) for kind in KINDS} | {ANY_KIND: _any_kind()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def schema_text(kind: str | None) -> str:
    """The text of a kind's schema file, or of the one for any kind.

    Args:
        kind: The kind, in any case; None for any.

    Raises:
        UsageError: There is no such kind.
    """
    if kind is None:
        return schemas_by_file()[ANY_KIND]
    known = {name.lower(): name for name in KINDS}
    if kind.lower() not in known:
        reason = f"there is no kind `{kind}`"
        raise UsageError(reason, near_miss(kind, KINDS, what="the kinds are"))
    return schemas_by_file()[schema_file(known[kind.lower()])]


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema file into a folder, each whole or not at all; files of other names stay.

    Args:
        folder: The folder; made where it is not there.
    """
    for name, text in schemas_by_file().items():
        with writing_whole(folder / name) as file:
            file.write(text.encode())
    return [folder / name for name in schemas_by_file()]


def _any_kind() -> Schema:
    branches = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": schema_file(kind)},
        }
        for kind in KINDS
    ]
    return {
        "$schema": DRAFT,
        "title": "Modelyard",
        "description": "A document of any kind.",
        "type": "object",
        "required": ["apiVersion", "kind", "name"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": branches,
    }


# Walking -----------------------------------------------------------------------------------------------------------


def schemas_at(kind: str, path: FieldPath) -> list[Schema]:
    """What may stand at a path of a kind's documents: one schema, or several where a field has several forms.

    Args:
        kind: The kind, as in `KINDS`.
        path: Keys and indexes; none for the whole document.
    """
    root = kind_schema(kind)
    found = [root]
    for step in path:
        found = [inner for schema in found for inner in _step_into(schema, step, root["$defs"])]
    return [form for schema in found for form in forms(schema, root["$defs"])]


def forms(schema: Schema, definitions: Mapping[str, Schema]) -> Iterator[Schema]:
    """The alternatives of a schema, references followed; what is said of all of them is said of each."""
    if "$ref" in schema:
        named = definitions[schema["$ref"].rpartition("/")[2]]
        yield from forms({**named, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
        return
    branches = schema.get("anyOf") or schema.get("oneOf")
    if not branches:
        yield schema
        return
    shared = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    for branch in branches:
        yield from forms({**branch, **shared}, definitions)


def inner_schemas(found: Iterable[Schema], name: str, definitions: Mapping[str, Schema]) -> list[Schema]:
    """What may stand under a key of some schemas; those of lists are looked for in their items.

    Args:
        found: The schemas.
        name: The key.
        definitions: What their references name.
    """
    inner: list[Schema] = []
    for schema in found:
        for form in forms(schema, definitions):
            inner += (
                inner_schemas([form["items"]], name, definitions)
                if "items" in form
                else _step_into(form, name, definitions)
            )
    return inner


def _step_into(schema: Schema, step: str | int, definitions: Mapping[str, Schema]) -> Iterator[Schema]:
    for form in forms(schema, definitions):
        if isinstance(step, int):
            yield from [form["items"]] if "items" in form else []
        elif step in form.get("properties", {}):
            yield form["properties"][step]
        else:
            yield from _values_of(form)


def _values_of(form: Schema) -> Iterator[Schema]:
    if isinstance(form.get("additionalProperties"), dict):
        yield form["additionalProperties"]
    yield from form.get("patternProperties", {}).values()


# Tidying -----------------------------------------------------------------------------------------------------------


def _tidy(schema: Any) -> Any:
    """Without what the generator adds for itself: titles made of names, `null` beside what may be left out."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidy_key(key, value) for key, value in schema.items() if not _is_noise(key, value)}
    if tidied.get("default") == {}:
        del tidied["default"]
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    branches = [branch for branch in tidied.pop("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        return {**branches[0], **tidied}
    if branches and all(branch.keys() == {"type"} for branch in branches):
        return {**tidied, "type": [branch["type"] for branch in branches if branch["type"] != "integer"]}
    return {**tidied, "anyOf": branches} if branches else tidied


def _tidy_key(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties", "$defs"):
        return {name: _tidy(item) for name, item in value.items()}
    if key == "description":
        return " ".join(value.split())
    if key == "default" and isinstance(value, dict):
        return {name: item for name, item in value.items() if item not in (None, [])}
    return value if key in _VERBATIM else _tidy(value)


def _is_noise(key: str, value: Any) -> bool:
    return (
        (key == "title" and isinstance(value, str))
        or (key == "default" and value in (None, "", [], {}))
        or (key == "propertyNames" and value.keys() == {"examples"})
    )


def _with_insertions(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_insertions(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: value
        if key in _VERBATIM
        else {name: item if name in _NEVER_INSERTED else _with_insertions(item) for name, item in value.items()}
        if key == "properties"
        else _with_insertions(value)
        for key, value in schema.items()
    }
    return _or_inserted(inner) if _is_closed_scalar(inner) else inner


def _is_closed_scalar(schema: Schema) -> bool:
    """Whether a schema describes scalars, and would refuse `${name}`."""
    kind = schema.get("type")
    narrowed = "pattern" in schema or "enum" in schema or "const" in schema or "format" in schema
    return kind in ("integer", "number", "boolean") or (kind == "string" and narrowed and schema != _INSERTION)


def _or_inserted(schema: Schema) -> Schema:
    said: Schema = {key: schema.pop(key) for key in ("description", "default", "examples") if key in schema}
    return {**said, "anyOf": [schema, {"$ref": "#/$defs/Insertion"}]}
