"""What rows of a request must look like for a model, and how they become columns.

A feature may be null, but must be said to be: an absent one is more often a typing error than a missing value. An
entity's keys are never null. One more kind of value is one more line in `_KINDS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData
from modelyard.near_miss import lookalikes, near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FAULTS_TOLD = 20
"""How many faults one answer lists: enough to mend a program by, and finding them takes bounded time."""
NAME_TOLD = 80
"""How many characters of an unknown name are looked at and told; a name comes from outside and may have any length."""
NAMES_TOLD = 5
"""How many of a model's names a message lists: a model may have hundreds."""

_NULL = type(None)
_KINDS: dict[str, tuple[frozenset[type], str]] = {
    "number": (frozenset({int, float, _NULL}), "a number or null"),
    "category": (frozenset({str, _NULL}), "a string or null"),
    "boolean": (frozenset({bool, _NULL}), "true, false or null"),
    "string": (frozenset({str}), "a string"),
    "integer": (frozenset({int}), "a whole number"),
}
_SAID = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    _NULL: "null",
}
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request."""

    at: str
    """Where, such as `features[3].amount`."""
    reason: str
    hint: str = ""


class InvalidRows(InvalidData):
    """Rows of a request that a model cannot take.

    Args:
        faults: What is wrong: at least one fault, and only the first few.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(f"{first.at} {first.reason}", first.hint)
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults,)


@dataclass(frozen=True)
class Schema:
    """The fields that every row of a list must have."""

    at: str
    """What the list is called in a request, for messages."""
    kinds: Mapping[str, str]
    """The kind of each field, by name, in the model's order."""

    def columns(self, rows: Sequence[Any], start: int = 0) -> dict[str, list[Any]]:
        """Rows turned into columns, in the schema's order.

        Args:
            rows: JSON values.
            start: The position of the first of them in the request, for messages.

        Raises:
            InvalidRows: A row is no object, lacks a field, has one too many, or holds a value of another kind.
        """
        names = self.kinds.keys()
        if all(type(row) is dict and row.keys() == names for row in rows):
            columns = {name: [row[name] for row in rows] for name in names}
            if all(_hold(kind, columns[name]) for name, kind in self.kinds.items()):
                return columns
        raise InvalidRows(list(islice(self._faults(rows, start), FAULTS_TOLD)))

    def _faults(self, rows: Sequence[Any], start: int) -> Iterator[Fault]:
        for position, row in enumerate(rows, start):
            at = f"{self.at}[{position}]"
            if isinstance(row, dict):
                yield from self._missed_names(row, at)
                yield from self._wrong_values(row, at)
            else:
                yield Fault(at, f"is {_said(row)}; an object with {_some(self.kinds)} is due")

    def _missed_names(self, row: Mapping[str, Any], at: str) -> Iterator[Fault]:
        unknown = [name[:NAME_TOLD] for name in islice((name for name in row if name not in self.kinds), FAULTS_TOLD)]
        absent = [name for name in self.kinds if name not in row]
        for name in unknown:
            hint = near_miss(name, absent or self.kinds, otherwise=_takes(self.kinds))
            yield Fault(f"{at}.{name}", "is unknown", hint)
        for name in absent:
            near = lookalikes(name, unknown)
            hint = f"rename `{near[0]}`" if near else "say null where the value is not known"
            yield Fault(f"{at}.{name}", "is absent", hint)

    def _wrong_values(self, row: Mapping[str, Any], at: str) -> Iterator[Fault]:
        for name, kind in self.kinds.items():
            if name in row and not _hold(kind, [row[name]]):
                types, due = _KINDS[kind]
                far = " out of range" if type(row[name]) in types else ""
                yield Fault(f"{at}.{name}", f"is {_said(row[name])}{far}; {due} is due")


def _hold(kind: str, values: Sequence[Any]) -> bool:
    """Whether all values are of a kind, and within what 64 bits hold."""
    if not _KINDS[kind][0].issuperset(map(type, values)):
        return False
    if kind == "integer":
        return all(-_LARGEST_INTEGER <= value < _LARGEST_INTEGER for value in values)
    return kind != "number" or all(value is None or _is_finite(value) for value in values)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False


def _said(value: Any) -> str:
    """What a JSON value is, in words."""
    return _SAID[type(value)]


def _takes(names: Iterable[str]) -> str:
    return f"rows have {_some(names)}"


def _some(names: Iterable[str]) -> str:
    """The first few names, for a message."""
    every = [f"`{name}`" for name in names]
    rest = len(every) - NAMES_TOLD
    return ", ".join(every[:NAMES_TOLD]) + (f" and {rest} more" if rest > 0 else "")
