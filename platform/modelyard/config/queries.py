"""A feature set's templated query, read without rendering it: what it refers to, and what can be said of its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.config.problems import Problem
from modelyard.config.sql_names import query_columns
from modelyard.config.yaml_reader import LARGEST_FILE, read_bytes
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jinja2.nodes import Template

FUNCTIONS = ("source", "ref")
NAMES = (*FUNCTIONS, "as_of", "range")


@dataclass(frozen=True)
class Query:
    """The query of a feature set, as far as its text tells."""

    file: Path
    text: str
    sources: dict[str, int]
    """The sources that it names, and in which line first."""
    refs: dict[str, int]
    """The feature sets that it names, and in which line first."""
    columns: tuple[str, ...] | None
    """The columns that it returns; None where the text alone does not say."""

    def problem(self, line: int, reason: str, hint: str) -> Problem:
        """Something wrong in a line of the query."""
        return Problem(self.file, line, 1, "", reason, hint)


def read_query(file: Path) -> Query | list[Problem]:
    """A query, or all that is wrong with it.

    Args:
        file: The template's file.
    """
    try:
        data = read_bytes(file)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        return [Problem(file, 1, 1, "", f"the query cannot be read: {error}", "write it as plain UTF-8")]
    if len(data) > LARGEST_FILE:
        return [Problem(file, 1, 1, "", "the query is larger than 1 MiB", "split it into several feature sets")]
    return parse_query(text, file)


def parse_query(text: str, file: Path) -> Query | list[Problem]:
    """A query's text, or all that is wrong with it.

    Args:
        text: The template.
        file: Its file, for places.
    """
    from jinja2 import Environment, TemplateSyntaxError, meta

    environment = Environment(autoescape=False)  # noqa: S701 - parsed and never rendered, and SQL is not HTML
    try:
        tree = environment.parse(text)
        unknown = meta.find_undeclared_variables(tree) - set(NAMES)
    except TemplateSyntaxError as error:
        return [Problem(file, error.lineno, 1, "", f"not a template: {error.message}", "check its braces and quotes")]
    problems = [
        Problem(file, 1, 1, "", f"the template knows no `{name}`", near_miss(name, NAMES)) for name in sorted(unknown)
    ]
    calls = {function: dict(_calls(tree, function, file, problems)) for function in FUNCTIONS}
    columns = _columns(environment, text, file, problems)
    return problems or Query(file, text, calls["source"], calls["ref"], columns)


def _calls(tree: Template, function: str, file: Path, problems: list[Problem]) -> Iterator[tuple[str, int]]:
    from jinja2 import nodes

    for call in reversed(list(tree.find_all(nodes.Call))):  # so that the first line of a name is what stays
        if not isinstance(call.node, nodes.Name) or call.node.name != function:
            continue
        named = call.args[0] if len(call.args) == 1 and not call.kwargs else None
        if isinstance(named, nodes.Const) and isinstance(named.value, str):
            yield named.value, call.lineno
        else:
            hint = f"write {{{{ {function}('name') }}}}"
            problems.append(Problem(file, call.lineno, 1, "", f"`{function}` takes one name in quotes", hint))


def _columns(environment: Any, text: str, file: Path, problems: list[Problem]) -> tuple[str, ...] | None:
    """What the SELECT returns, each `{{ … }}` taken for a name; a template with statements has no one SQL text."""
    sql, inside = [], False
    for line, part, value in environment.lex(text):
        if part in ("block_begin", "raw_begin"):
            return None
        inside = inside or part == "variable_begin"
        if not inside:
            sql.append(value if part == "data" else "")
        elif part == "variable_end":
            sql.append(f"inserted_{line}")
            inside = False
    columns = query_columns("".join(sql))
    if columns is not None and columns.error:
        problems.append(
            Problem(file, 1, 1, "", f"not a query: {columns.error}", "one SELECT, without a semicolon at its end")
        )
    return columns.columns if columns is not None else None
