"""Names and text in SQL: always quoted, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def identifier(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Iterable[str], of: str = "") -> str:
    """Names as a list of quoted identifiers, of a relation if one is given."""
    return ", ".join(f"{of}.{identifier(name)}" if of else identifier(name) for name in names)


def text(value: str) -> str:
    """Text as a quoted literal."""
    return "'" + value.replace("'", "''") + "'"


def present(keys: Iterable[str]) -> str:
    """The condition that a row has all of its keys."""
    return " AND ".join(f"{identifier(key)} IS NOT NULL" for key in keys)
