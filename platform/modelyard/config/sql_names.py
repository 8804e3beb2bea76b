"""The columns that a scalar SQL expression names, from its syntax tree. What it may do is for the features to check."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

DIALECT = "duckdb"


class SqlNames(NamedTuple):
    """What a SQL text names, or why it cannot be read."""

    columns: tuple[str, ...] = ()
    """In order, each once."""
    error: str = ""


@lru_cache(maxsize=65_536)
def scalar_names(sql: str) -> SqlNames:
    """The columns of one scalar expression, such as a `where`."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        trees = parse(sql, dialect=DIALECT)
    except (SqlglotError, RecursionError) as error:
        return SqlNames(error=_said(error))
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Condition | exp.Alias):
        return SqlNames(error="it is not one expression")
    found = list(tree.find_all(exp.Column, exp.Query, exp.Alias, exp.AggFunc, exp.Window))
    if any(isinstance(node, exp.Query | exp.Alias) for node in found):
        return SqlNames(error="it must be one expression, without SELECT and AS")
    if any(isinstance(node, exp.AggFunc | exp.Window) for node in found):
        return SqlNames(error="it is about one row, so nothing can be aggregated in it")
    columns = (".".join(part.name for part in node.parts) for node in found if isinstance(node, exp.Column))
    return SqlNames(tuple(dict.fromkeys(columns)))


@lru_cache(maxsize=1024)
def query_columns(sql: str) -> SqlNames | None:
    """The columns that a SELECT returns; None where its text alone does not say.

    Args:
        sql: One statement, everything rendered.
    """
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        trees = parse(sql, dialect=DIALECT)
    except (SqlglotError, RecursionError) as error:
        return SqlNames(error=_said(error))
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return SqlNames(error="it is not one SELECT")
    selected = trees[0].selects
    if not selected or any(column.is_star or not column.alias_or_name for column in selected):
        return None
    return SqlNames(tuple(column.alias_or_name for column in selected))


def _said(error: Exception) -> str:
    """What a parser says of the first mistake, in one line."""
    details = getattr(error, "errors", None)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not details:
        return "a quote or a comment in it is not closed"  # all that its tokenizer complains of
    first = details[0]
    incomplete = first["description"].startswith("Required keyword")
    reason = "something is missing" if incomplete else first["description"].rstrip(".")
    return f"{reason} near `{first['highlight'] or 'the end'}`"
