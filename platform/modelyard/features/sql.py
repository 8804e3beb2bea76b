"""What users' SQL may do, read from its syntax tree; and the text that is run, which is made from that tree.

What is run was never seen by another parser than the one that checked it: the checked tree is written out again, with
every name quoted. Two forms there are: a scalar expression over a row (`where`, `expressions`), and one SELECT over
named relations (a feature set's query).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from modelyard.errors import InvalidData
from modelyard.features.functions import AGGREGATE, CHANGES_EACH_TIME, PICKS_ANY_ROW, SCALAR
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Collection

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that are refused here in so many words

DIALECT = "duckdb"
LONGEST = 100_000
"""Characters of a statement."""

_CALLED = re.compile(r"([A-Za-z_]\w*)\(")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")

_NEVER: dict[type, str] = {
    exp.Command: "it is not a query",
    exp.DDL: "it changes tables",
    exp.DML: "it changes rows",
    exp.Into: "it makes a table",
    exp.TableSample: "a sample is another one each time",
    exp.Columns: "`COLUMNS(…)` hides which columns it names",
    exp.Dot: "a function is written before its argument: upper(name)",
    exp.Pivot: "PIVOT's columns depend on the rows",
}
_NEVER_IN_A_ROW: dict[type, str] = {
    exp.Query: "it must be one expression, without SELECT",
    exp.AggFunc: "it is about one row, so nothing can be aggregated in it",
    exp.Window: "it is about one row, so there is no window",
    exp.Star: "it must name its columns",
    exp.Alias: "it must be one expression, without AS",
}


_SYNTAX = (exp.Array, exp.Case, exp.Collate, exp.Connector, exp.If, exp.JSONExtract, exp.JSONExtractScalar, exp.Struct)
"""What is written without a call: operators, CASE, lists and structs."""


@dataclass(frozen=True)
class Scalar:
    """A checked expression over the columns of a row."""

    sql: str
    """As it is run."""
    columns: tuple[str, ...]
    """The columns that it names, each once."""


@dataclass(frozen=True)
class Query:
    """A checked SELECT."""

    sql: str
    """As it is run."""
    tree: exp.Query
    """What `sql` was written from; not to be changed."""


def check_scalar(sql: str, columns: Collection[str], place: str) -> Scalar:
    """Check a scalar expression.

    Args:
        sql: The expression.
        columns: The columns that it may name.
        place: What it is, for messages.

    Raises:
        InvalidData: It does what it may not, or names a column that is not there.
    """
    return _checked_scalar(sql, tuple(columns), place)


@lru_cache(maxsize=4096)
def _checked_scalar(sql: str, columns: tuple[str, ...], place: str) -> Scalar:
    tree = _parsed(sql, place)
    _check_nodes(tree, _NEVER | _NEVER_IN_A_ROW, SCALAR, place)
    if not isinstance(tree, exp.Condition):
        _refuse(place, "it is not one expression")
    if tree.find(exp.Parameter, exp.Placeholder):
        _refuse(place, "it names a parameter, and there is none")
    whole = exp.Paren(this=tree)  # so that a column that is all of it has a parent as well
    used: dict[str, None] = {}
    for column in list(whole.find_all(exp.Column)):
        name = _matching(column, columns, place)
        used[name] = None
        column.replace(exp.column(name, quoted=True))
    return Scalar(written(whole), tuple(used))


def check_query(sql: str, relations: Collection[str], parameters: Collection[str], place: str) -> Query:
    """Check one SELECT.

    Args:
        sql: The statement.
        relations: The relations that it may read.
        parameters: The bound values that it may name, which are instants.
        place: What it is, for messages.

    Raises:
        InvalidData: It is not one SELECT, or does what it may not.
    """
    tree = _parsed(sql, place)
    if not isinstance(tree, exp.Query):
        _refuse(place, "it is not one SELECT")
    _check_nodes(tree, _NEVER, SCALAR | AGGREGATE, place)
    _check_relations(tree, relations, place)
    _check_order(tree, place)
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder)):
        if node.name not in parameters:
            _refuse(place, f"it names the parameter `{node.sql(dialect=DIALECT)}`, which is not given")
        node.replace(exp.cast(exp.Placeholder(this=node.name), exp.DataType.Type.TIMESTAMPTZ))
    return Query(written(tree), tree)


def written(tree: exp.Expr) -> str:
    """A tree as it is run: every name quoted, comments left out."""
    return tree.sql(dialect=DIALECT, identify=True, comments=False)


def _parsed(sql: str, place: str) -> exp.Expr:
    if len(sql) > LONGEST:
        _refuse(place, f"it is longer than {LONGEST:,} characters")
    try:
        trees = parse(sql, dialect=DIALECT)
        if len(trees) != 1 or trees[0] is None:
            _refuse(place, "it is not one statement")
        trees[0].sql(dialect=DIALECT)
    except SqlglotError as error:
        _refuse(place, _said(error), error)
    except RecursionError as error:
        _refuse(place, "it is nested too deeply", error)
    return trees[0]


def _check_nodes(tree: exp.Expr, never: dict[type, str], functions: Collection[str], place: str) -> None:
    for node in tree.walk():
        for kind, reason in never.items():
            if isinstance(node, kind):
                _refuse(place, reason)
        if isinstance(node, exp.Func):
            _check_function(node, functions, place)


def _check_function(node: exp.Func, functions: Collection[str], place: str) -> None:
    """A function is known by the name under which it is run, whatever the user called it."""
    called = _CALLED.match(node.sql(dialect=DIALECT))
    if called is None and isinstance(node, _SYNTAX):
        return
    name = (called[1] if called else node.sql_name()).lower()
    if name in functions:
        return
    if name in CHANGES_EACH_TIME:
        _refuse(place, f"`{name}` has another value each time", hint="use the instant: {{ as_of }}")
    if name in PICKS_ANY_ROW:
        _refuse(place, f"`{name}` picks rows in no particular order", hint="use arg_max(value, time) or arg_min")
    if name in AGGREGATE:
        _refuse(place, _NEVER_IN_A_ROW[exp.AggFunc])
    hint = near_miss(name, functions, otherwise="")
    _refuse(place, f"`{name}` is not among the functions that features may use", hint=hint)


def _check_relations(tree: exp.Expr, relations: Collection[str], place: str) -> None:
    """Every table is a relation that was given, or a part that the statement itself names."""
    own = set()
    for part in tree.find_all(exp.CTE):
        name = part.alias
        if _PLAIN_NAME.fullmatch(name) is None or name.lower() in {one.lower() for one in relations}:
            _refuse(place, f"`{name}` cannot be the name of a part of it")
        own.add(name.lower())
    if any(clause.args.get("recursive") for clause in tree.find_all(exp.With)):
        _refuse(place, "WITH RECURSIVE may never end")
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            _refuse(place, f"`{table.this.sql(dialect=DIALECT)}` is not a table", hint="read {{ source('name') }}")
        known = table.name in relations or table.name.lower() in own
        if not known or table.args.get("db") or table.args.get("catalog"):
            hint = "read {{ source('name') }} or {{ ref('name') }}"
            _refuse(place, f"it reads `{table.sql(dialect=DIALECT)}`, which is not given to it", hint=hint)


def _check_order(tree: exp.Expr, place: str) -> None:
    """Which rows are taken must not be left to chance."""
    for select in tree.find_all(exp.Query):
        if select.args.get("order") is not None:
            continue
        if select.args.get("limit") is not None or select.args.get("offset") is not None:
            _refuse(place, "LIMIT takes any rows where there is no ORDER BY", hint="add ORDER BY")
        distinct = select.args.get("distinct")
        if isinstance(distinct, exp.Distinct) and distinct.args.get("on") is not None:
            _refuse(place, "DISTINCT ON takes any rows where there is no ORDER BY", hint="add ORDER BY")


def _matching(column: exp.Column, columns: tuple[str, ...], place: str) -> str:
    """The column that is meant: names are the same to SQL whatever their case."""
    if len(column.parts) == 1:
        for name in columns:
            if name == column.name or (name.lower() == column.name.lower() and column.name not in columns):
                return name
    written = ".".join(part.name for part in column.parts)
    return _refuse(place, f"there is no column `{written}`", hint=near_miss(written, columns))


def _refuse(place: str, reason: str, cause: BaseException | None = None, *, hint: str = "") -> NoReturn:
    message = f"{place}: {reason}"
    raise InvalidData(message, hint) from cause


def _said(error: SqlglotError) -> str:
    """What the parser says of the first mistake, in one line."""
    details = getattr(error, "errors", None)
    if not details:
        return str(error).splitlines()[0]
    first = details[0]
    return f"{first['description'].rstrip('.')} in line {first['line']}, near `{first['highlight'] or 'the end'}`"
