"""Plain values to a kind's class, and pydantic's complaints to findings that say what is due.

One more type of complaint is one more entry in `_REASONS`; what has none keeps pydantic's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from zoneinfo import available_timezones

from pydantic import ValidationError

from modelyard.config.json_schema import schemas_at
from modelyard.config.kinds import KINDS
from modelyard.config.kinds.base import MEANINGS
from modelyard.config.problems import FieldPath, Finding, field_name
from modelyard.config.substitution import unset_variables
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    from modelyard.config.kinds import Document
    from modelyard.config.nodes import Node, RawDocument

D = TypeVar("D", bound="Document")

_SCALARS = frozenset({"string_type", "int_type", "float_type", "bool_type"})
_QUOTED = re.compile(r"'([^']*)'")

LONGEST_SHOWN = 100  # characters of a value; a message stays readable whatever was pasted into a field


class Complaint(NamedTuple):
    """What pydantic says of one place."""

    type: str
    message: str
    facts: Mapping[str, Any]
    path: FieldPath
    """Keys and indexes only: pydantic also names the branch of a union that it tried."""
    value: Any
    text: str
    """The scalar as written."""
    of_key: bool
    """Whether the key is wrong, rather than its value."""


def validate(kind: type[D], value: Any, raw: RawDocument) -> D | list[Finding]:
    """A document of a kind, or all that is wrong with it.

    Args:
        kind: The kind's class.
        value: The document's plain values, everything inserted.
        raw: The document as read: it tells keys from what pydantic adds to a path.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        name = next(name for name, known in KINDS.items() if known is kind)
        return list(_findings(name, error, raw.node))


def _findings(kind: str, error: ValidationError, root: Node) -> Iterator[Finding]:
    by_path: dict[FieldPath, list[Complaint]] = {}
    for details in error.errors(include_url=False):
        complaint = _complaint(details, root)
        by_path.setdefault(complaint.path, []).append(complaint)
    for path, complaints in by_path.items():
        if complaints[0].type == "too_short" and any(other[: len(path)] == path != other for other in by_path):
            continue  # a list counts only what is right in it, and what is wrong is reported by itself
        missing = sorted(unset_variables(complaints[0].value))
        if missing:
            reason = f"the value needs the environment variable {', '.join(missing)}, which is not set"
            yield Finding(path, reason, f"export {missing[0]}=..., or give the variable a default in modelyard.yaml")
        elif len(complaints) > 1 and {complaint.type for complaint in complaints} >= _SCALARS:
            yield Finding(
                path, f"text, a number, true or false is due, not {_described(complaints[0])}", _quoting(complaints[0])
            )
        else:
            yield _finding(kind, complaints[0])


def _complaint(details: ErrorDetails, root: Node) -> Complaint:
    path: list[str | int] = []
    node: Node | None = root
    steps = list(details["loc"])
    for position, step in enumerate(steps):
        inner = node.child(step) if node is not None else None
        is_last = position == len(steps) - 1
        if inner is not None or (is_last and details["type"] == "missing"):
            path.append(step)
            node = inner
    text = node.text if node is not None else ""
    of_key = details["type"] == "extra_forbidden" or steps[-1:] == ["[key]"]
    return Complaint(
        details["type"], details["msg"], details.get("ctx", {}), tuple(path), details["input"], text, of_key
    )


def _finding(kind: str, complaint: Complaint) -> Finding:
    reason, hint = _REASONS.get(complaint.type, _in_other_words)(kind, complaint)
    return Finding(complaint.path, reason, hint, at_key=complaint.of_key)


# Reasons -----------------------------------------------------------------------------------------------------------


def _missing(kind: str, complaint: Complaint) -> tuple[str, str]:
    above = _explained(kind, complaint.path[:-1])
    return f"`{complaint.path[-1]}` is missing", f"`modelyard explain {above}` lists the fields"


def _unknown(kind: str, complaint: Complaint) -> tuple[str, str]:
    known = {name for schema in schemas_at(kind, complaint.path[:-1]) for name in schema.get("properties", ())}
    place = field_name(complaint.path[:-1]) or kind
    return f"`{complaint.path[-1]}` is not a field of {place}", near_miss(complaint.path[-1], known, what="its fields")


def _not_listed(_: str, complaint: Complaint) -> tuple[str, str]:
    choices = _QUOTED.findall(str(complaint.facts.get("expected", "")))
    return f"`{_shown(complaint)}` is not one of its values", near_miss(_shown(complaint), choices, what="they are")


def _text_due(_: str, complaint: Complaint) -> tuple[str, str]:
    return f"text is due, not {_described(complaint)}", _quoting(complaint)


def _due(what: str, hint: str) -> Callable[[str, Complaint], tuple[str, str]]:
    def reason(_: str, complaint: Complaint) -> tuple[str, str]:
        return f"{what} is due, not {_described(complaint)}", hint

    return reason


def _pattern(_: str, complaint: Complaint) -> tuple[str, str]:
    pattern = str(complaint.facts.get("pattern"))
    return f"`{_shown(complaint)}` is not written as it must be", MEANINGS.get(pattern, f"it must match {pattern}")


def _bound(words: str, fact: str) -> Callable[[str, Complaint], tuple[str, str]]:
    return lambda _, complaint: (
        f"`{_shown(complaint)}` is not {words} {complaint.facts[fact]:g}",
        f"write a number that is {words} {complaint.facts[fact]:g}",
    )


def _length(_: str, complaint: Complaint) -> tuple[str, str]:
    if complaint.type.endswith("short"):
        return "it is empty", "give it a value, or leave the field out if it may be"
    return f"it is longer than {complaint.facts['max_length']} characters", "shorten it"


def _not_a_day(_: str, complaint: Complaint) -> tuple[str, str]:
    return f"`{_shown(complaint)}` is not a date", "a date is written as 2026-01-31"


def _in_words_of_check(_: str, complaint: Complaint) -> tuple[str, str]:
    rule = complaint.message.removeprefix("Value error, ")
    if "timezone" in rule:
        return f"`{_shown(complaint)}` is {rule}", near_miss(complaint.value, available_timezones(), what="as")
    return f"`{_shown(complaint)}` is not written as it must be", rule


def _in_other_words(kind: str, complaint: Complaint) -> tuple[str, str]:
    message = complaint.message[:1].lower() + complaint.message[1:]
    return message, f"`modelyard explain {_explained(kind, complaint.path)}`"


_MAPPING = _due("a mapping", "as {key: value}, or a line `key: value` for each")

_REASONS: dict[str, Callable[[str, Complaint], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_listed,
    "string_type": _text_due,
    "invalid-json-value": _text_due,
    "int_type": _due("a whole number", "as 10, without quotes"),
    "float_type": _due("a number", "as 0.5, without quotes"),
    "bool_type": _due("true or false", "without quotes"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": _due("a list", "as [a, b], or a line `- a` for each"),
    "string_pattern_mismatch": _pattern,
    "greater_than": _bound("greater than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": _length,
    "string_too_short": _length,
    "string_too_long": _length,
    "date_type": _not_a_day,
    "date_parsing": _not_a_day,
    "date_from_datetime_parsing": _not_a_day,
    "date_from_datetime_inexact": _not_a_day,
    "value_error": _in_words_of_check,
}


# Words -------------------------------------------------------------------------------------------------------------


def _explained(kind: str, path: FieldPath) -> str:
    """A path as `modelyard explain` takes it."""
    return ".".join([kind, *(step for step in path if isinstance(step, str))])


def _shown(complaint: Complaint) -> str:
    written = complaint.text and "${" not in complaint.text and not isinstance(complaint.value, str)
    text = complaint.text if written else str(complaint.value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _described(complaint: Complaint) -> str:
    value = complaint.value
    if value is None:
        return "nothing"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    names = ((str, "the text"), (bool, "the truth value"), (int | float, "the number"))
    return f"{next((name for kind, name in names if isinstance(value, kind)), 'the date')} `{_shown(complaint)}`"


def _quoting(complaint: Complaint) -> str:
    if complaint.value is None or isinstance(complaint.value, dict | list | tuple):
        return "write the text behind the colon"
    return f'write "{_shown(complaint)}" in quotes'
