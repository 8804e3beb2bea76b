"""One document, several models: the combinations of its `for_each`."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

from modelyard.config.problems import Finding
from modelyard.config.substitution import names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MOST_MODELS = 1000
"""How many models one document may make: a slip in a list should not make a million."""


def combinations(for_each: Any) -> list[dict[str, Any]]:
    """The values of the `for_each` variables, once for each model that a document makes.

    Args:
        for_each: The plain values of a document's `for_each`. Where it is not written as it must be, or makes too many
            models, it makes one, of the first values: what is wrong is found elsewhere.
    """
    if not for_each or not _is_well_formed(for_each):
        return [{}]
    if _count(for_each) > MOST_MODELS:
        return [{name: values[0] for name, values in for_each.items()}]
    return [dict(zip(for_each, values, strict=True)) for values in product(*for_each.values())]


def check_for_each(document: dict[str, Any], variables: Collection[str]) -> Iterator[Finding]:
    """Variables that make no models, or models that cannot be told apart.

    Args:
        document: The document's plain values.
        variables: The names of the project's variables.
    """
    for_each = document.get("for_each")
    if not for_each or not _is_well_formed(for_each):
        return
    if _count(for_each) > MOST_MODELS:
        reason = f"this makes {_count(for_each)} models, more than {MOST_MODELS}"
        yield Finding(("for_each",), reason, "write several documents")
    used = names_in({key: value for key, value in document.items() if key != "for_each"})
    in_name = names_in(document.get("name"))
    for name, values in for_each.items():
        path = ("for_each", name)
        if name in variables:
            reason = f"`{name}` is a variable of modelyard.yaml as well"
            yield Finding(path, reason, "choose another name", at_key=True)
        if name not in used:
            yield Finding(path, f"nothing uses `{name}`", f"insert it as ${{{name}}}, or remove it", at_key=True)
        elif name not in in_name and len(values) > 1:
            reason = f"the models for each `{name}` would have one name"
            yield Finding(("name",), reason, f"write ${{{name}}} into the name")
        seen = set()
        for index, value in enumerate(values):
            if value in seen:
                yield Finding((*path, index), f"`{value}` is named twice", "name it once")
            seen.add(value)


def _is_well_formed(for_each: Any) -> bool:
    return isinstance(for_each, dict) and all(
        isinstance(values, list) and values and all(isinstance(value, str | int | float) for value in values)
        for values in for_each.values()
    )


def _count(for_each: dict[str, list[Any]]) -> int:
    return math.prod(len(values) for values in for_each.values())
