"""The columns that a query returns, told from its text and the columns of what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from modelyard.errors import InvalidData
from modelyard.features.sql import DIALECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.features.sql import Query


def selected_names(query: Query, schema: Mapping[str, Sequence[str]], place: str) -> tuple[str, ...]:
    """The names of a query's columns, a `*` written out.

    Args:
        query: The checked query.
        schema: The columns of each relation that it reads.
        place: What it is, for messages.

    Raises:
        InvalidData: A column has no name, or two have the same.
    """
    tree = query.tree
    if any(column.is_star for column in tree.selects):
        tables: dict[str, object] = {name: dict.fromkeys(columns, "UNKNOWN") for name, columns in schema.items()}
        try:
            tree = qualify(tree.copy(), schema=tables, dialect=DIALECT, validate_qualify_columns=False)
        except SqlglotError as error:
            reason = f"{place}: its columns cannot be told: {error}"
            raise InvalidData(reason, "name the columns instead of `*`") from error
    names = [column.alias_or_name for column in tree.selects]
    if not all(names) or "*" in names:
        reason = f"{place}: a column has no name"
        raise InvalidData(reason, "name it with AS")
    if len({name.lower() for name in names}) < len(names):
        reason = f"{place}: two of its columns have one name: {', '.join(names)}"
        raise InvalidData(reason, "rename one of them with AS")
    return tuple(names)
