"""What a field means, from the kinds themselves: its type, whether it is required, its default, what lies below it."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.config.examples import example_text
from modelyard.config.json_schema import Schema, forms, inner_schemas, kind_schema
from modelyard.config.kinds import KINDS
from modelyard.errors import UsageError
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WIDTH = 100  # columns of text
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


@dataclass(frozen=True)
class Explanation:
    """What is known of a field, or of a whole kind."""

    path: str
    type: str
    """Such as `text`, `list of mappings`, `one of time, random`."""
    required: bool
    description: str
    default: Any = None
    examples: tuple[Any, ...] = ()
    fields: tuple[Explanation, ...] = ()
    """What a mapping holds; each without its own fields."""
    document: str = ""
    """A document of the kind, in YAML, for a whole kind."""

    def content(self) -> dict[str, Any]:
        """The explanation as plain JSON values."""
        own = {"path": self.path, "type": self.type, "required": self.required, "description": self.description}
        optional = {"default": self.default, "examples": list(self.examples), "document": self.document}
        fields = [field.content() for field in self.fields]
        return {
            **own,
            **{key: value for key, value in optional.items() if value},
            **({"fields": fields} if fields else {}),
        }


def explain(path: str) -> Explanation:
    """A kind, or a field of it.

    Args:
        path: The kind, and the fields down to the one in question: `Model.data.labels`. Indexes are skipped.

    Raises:
        UsageError: There is no such kind or field.
    """
    name, *steps = re.sub(r"\[[^\]]*\]", "", path).split(".")
    kind = next((known for known in KINDS if known.lower() == name.lower()), None)
    if kind is None:
        reason = f"there is no kind `{name}`"
        raise UsageError(reason, near_miss(name, KINDS, what="the kinds are"))
    root = kind_schema(kind)
    found, required, walked = [root], True, kind
    for step in steps:
        inner = inner_schemas(found, step, root["$defs"])
        if not inner:
            reason = f"`{walked}` has no field `{step}`"
            raise UsageError(reason, near_miss(step, _properties(found, root["$defs"]), what="its fields"))
        required = any(step in form.get("required", ()) for form in _mappings(found, root["$defs"]))
        found, walked = inner, f"{walked}.{step}"
    document = "" if steps else example_text(kind)
    return _explanation(walked, found, root["$defs"], required=required, document=document)


def _explanation(
    path: str, found: list[Schema], definitions: Mapping[str, Schema], *, required: bool, document: str = ""
) -> Explanation:
    said = found[0]
    below = {}
    for form in _mappings(found, definitions):
        for name, schema in form.get("properties", {}).items():
            must = name in form.get("required", ())
            below[name] = _summary(f"{path}.{name}", schema, definitions, required=must)
    named = definitions.get(said.get("$ref", "").rpartition("/")[2], {})
    return Explanation(
        path=path,
        type=_type_of(found, definitions),
        required=required,
        description=said.get("description") or named.get("description", ""),
        default=said.get("default"),
        examples=tuple(said.get("examples", ())),
        fields=tuple(below.values()),
        document=document,
    )


def _summary(path: str, schema: Schema, definitions: Mapping[str, Schema], *, required: bool) -> Explanation:
    named = definitions.get(schema.get("$ref", "").rpartition("/")[2], {})
    description = schema.get("description") or named.get("description", "")
    return Explanation(path, _type_of([schema], definitions), required, description, schema.get("default"))


def _mappings(found: Iterable[Schema], definitions: Mapping[str, Schema]) -> list[Schema]:
    """The forms of a field that hold fields, those inside lists included."""
    mappings = []
    for schema in found:
        for form in forms(schema, definitions):
            mappings += _mappings([form["items"]], definitions) if "items" in form else [form]
    return mappings


def _properties(found: Iterable[Schema], definitions: Mapping[str, Schema]) -> set[str]:
    return {name for form in _mappings(found, definitions) for name in form.get("properties", ())}


def _type_of(found: Iterable[Schema], definitions: Mapping[str, Schema]) -> str:
    words = (_word(form, definitions) for schema in found for form in forms(schema, definitions))
    return " or ".join(dict.fromkeys(words))


def _word(form: Schema, definitions: Mapping[str, Schema]) -> str:
    kind = form.get("type")
    if "enum" in form or "const" in form:
        return f"one of {', '.join(form['enum'])}" if "enum" in form else str(form["const"])
    if kind == "array":
        return f"list of {_type_of([form['items']], definitions)}"
    if kind == "object":
        values = [form["additionalProperties"]] if isinstance(form.get("additionalProperties"), dict) else []
        values += form.get("patternProperties", {}).values()
        return f"mapping to {_type_of(values, definitions) or 'anything'}" if values else "mapping"
    if form.get("format") == "date":
        return "date"
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(_TYPES.get(str(each), "anything") for each in kinds)


# Text --------------------------------------------------------------------------------------------------------------


def render_explanation(explanation: Explanation) -> str:
    """An explanation for a terminal."""
    must = ", required" if explanation.required and "." in explanation.path else ""
    parts = [f"{explanation.path}: {explanation.type}{must}", _wrapped(explanation.description, "  ")]
    if explanation.default is not None:
        parts.append(f"  Default: {_value(explanation.default)}")
    if explanation.examples:
        parts.append(f"  Examples: {', '.join(_value(example) for example in explanation.examples)}")
    if explanation.fields:
        parts.append("Fields:\n" + "\n".join(_line(field) for field in explanation.fields))
    if explanation.document:
        parts.append("Example:\n" + textwrap.indent(explanation.document.rstrip(), "  "))
    return "\n\n".join(part for part in parts if part)


def _line(field: Explanation) -> str:
    name = field.path.rpartition(".")[2]
    default = f", default {_value(field.default)}" if field.default is not None else ""
    head = f"  {name} ({field.type}{', required' if field.required else default})"
    return f"{head}\n{_wrapped(field.description, '      ')}"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
