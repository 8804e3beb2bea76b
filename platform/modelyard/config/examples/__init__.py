"""A file for each kind with documents of it, the first one worth showing. All of them together are a project."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from modelyard.config.yaml_reader import parse_documents


def example_text(kind: str) -> str:
    """The documents of a kind, as YAML.

    Args:
        kind: The kind, as in `KINDS`.
    """
    return (files(__name__) / f"{snake_case(kind)}.yaml").read_text("utf-8")


def example(kind: str) -> Any:
    """The first document of a kind, as plain JSON values.

    Args:
        kind: The kind, as in `KINDS`.
    """
    return _json(parse_documents(example_text(kind).encode(), Path(kind)).documents[0].value)


def snake_case(kind: str) -> str:
    """A kind as files are named: `feature_set` for FeatureSet."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).removeprefix("_")


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
