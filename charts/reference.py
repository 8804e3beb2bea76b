"""From a chart's values.yaml to the README of all values and the schema that refuses unknown ones.

`python charts/reference.py CHART [OUT]` writes README.md and values.schema.json. values.yaml is the one place where a
value, what it means and what it may be are said: a comment above a key describes it, and a comment line that begins
with `schema:` is merged into its JSON Schema.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


@dataclass(frozen=True)
class Value:
    """One value of a chart."""

    path: str
    default: Any
    description: str
    schema: dict[str, Any]


def read_values(file: Path) -> list[Value]:
    """The values of a values.yaml.

    Args:
        file: The file.

    Raises:
        ValueError: A value has no description.
    """
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    values = list(_values(yaml.compose(text), yaml.safe_load(text), lines, ""))
    if without := [value.path for value in values if not value.description]:
        reason = f"{file}: there is no comment above {', '.join(without)}"
        raise ValueError(reason)
    return values


def _values(node: Any, content: dict[str, Any], lines: list[str], prefix: str) -> Iterator[Value]:
    for key, value in node.value:
        path, default = f"{prefix}{key.value}", content[key.value]
        # A mapping in block style holds values of its own; one in braces is a value.
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _values(value, default, lines, f"{path}.")
            continue
        comment = _comment_above(lines, key.start_mark.line)
        schema = [json.loads(line.removeprefix("schema:")) for line in comment if line.startswith("schema:")]
        words = " ".join(line for line in comment if not line.startswith("schema:"))
        yield Value(path, default, words, {**_type_of(default), **(schema[0] if schema else {})})


def _comment_above(lines: list[str], line: int) -> list[str]:
    comment: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].lstrip().removeprefix("#").strip())
    return comment


def _type_of(default: Any) -> dict[str, Any]:
    return {"type": TYPES.get(type(default), "object")}


def values_schema(values: list[Value]) -> dict[str, Any]:
    """The JSON Schema of a chart's values, in which every unknown key is an error."""
    root = _closed()
    for value in values:
        *parents, name = value.path.split(".")
        place = root
        for parent in parents:
            place = place["properties"].setdefault(parent, _closed())
        place["properties"][name] = {**value.schema, "description": value.description}
    root["properties"]["global"] = {"type": "object", "description": "What a parent chart shares with its charts."}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **root}


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def readme(chart: dict[str, Any], values: list[Value]) -> str:
    """The README of a chart: its values as a table."""
    rows = [f"| `{value.path}` | `{_shown(value.default)}` | {_cell(value)} |" for value in values]
    return "\n".join(
        [
            f"# The chart `{chart['name']}`",
            "",
            str(chart["description"]),
            "",
            "[docs/operators-kubernetes.md](../../docs/operators-kubernetes.md) says how it is installed, upgraded and"
            " rolled back. This page is",
            "generated from `values.yaml` by `make generate`.",
            "",
            "| value | unless said | what it is |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _cell(value: Value) -> str:
    text = value.description
    if choices := value.schema.get("enum"):
        text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    return text.replace("|", "\\|")


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False)


def main(arguments: list[str]) -> None:
    """Write both files."""
    chart = Path(arguments[0])
    out = Path(arguments[1]) if arguments[1:] else chart
    values = read_values(chart / "values.yaml")
    out.mkdir(parents=True, exist_ok=True)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    (out / "README.md").write_text(readme(about, values), encoding="utf-8")
    schema = json.dumps(values_schema(values), indent=2, ensure_ascii=False)
    (out / "values.schema.json").write_text(f"{schema}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
