"""A feature set's query, rendered: one SELECT over relations that point in time, with bound values.

A template may call `source('name')` and `ref('name')`, insert `as_of`, and use `if`, `for` and `set` over what it
writes down itself. That is a list of what is allowed, not of what is forbidden: attributes, filters, tests, macros,
imports, arithmetic and other calls do not exist in it, so nothing of Python can be reached, no value can grow, and
loops are counted. Jinja's sandbox stands behind that list as a second wall. The SQL that comes out is checked by
its own syntax tree (`modelyard.features.sql`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from modelyard.errors import InvalidData
from modelyard.features.quoting import identifier
from modelyard.features.sql import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable

AS_OF = "as_of"
MOST_TURNS = 10_000
"""Of all loops of a template together."""

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Call,
    nodes.For, nodes.If, nodes.Assign, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.Neg, nodes.Getattr,
)  # fmt: skip
_CALLS = ("source", "ref", "range")
_LOOP = ("first", "last", "index", "index0")
_TURN = "__turn"


@dataclass(frozen=True)
class Rendered:
    """What a template came to."""

    sql: str
    sources: tuple[str, ...]
    """The sources that it reads, by name."""
    refs: tuple[str, ...]
    """The feature sets that it reads, by name."""


def source_relation(name: str) -> str:
    """The name, in SQL, of a source's rows as known at the instant."""
    return f"source:{name}"


def ref_relation(name: str) -> str:
    """The name, in SQL, of a feature set's values at the instant."""
    return f"ref:{name}"


def render(text: str, *, sources: Iterable[str], refs: Iterable[str], place: str) -> Rendered:
    """Render a template.

    Args:
        text: The template.
        sources: The sources that it may read.
        refs: The feature sets that it may read.
        place: What it is, for messages.

    Raises:
        InvalidData: It is no template, does what it may not, or does not end in time.
    """
    template = _compile(text, place)
    run = _Run(frozenset(sources), frozenset(refs), place)
    names = {
        "source": run.source,
        "ref": run.ref,
        "range": run.numbers,
        AS_OF: _Sql(f"${AS_OF}"),
        _TURN: run.turn,
    }
    pieces: list[str] = []
    length = 0
    try:
        for piece in template.generate(names):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST:
                _refuse(place, f"it renders to more than {LONGEST:,} characters")
    except (UndefinedError, SecurityError, TypeError, ValueError, OverflowError) as error:
        _refuse(place, str(error), error)
    return Rendered("".join(pieces), tuple(run.sources), tuple(run.refs))


class _Sql(str):
    """Text that is SQL already: a quoted relation, or the name of a bound value."""

    __slots__ = ()


class _Run:
    """One rendering: what it read, and how often it looped."""

    def __init__(self, sources: frozenset[str], refs: frozenset[str], place: str) -> None:
        self.sources: dict[str, None] = {}
        self.refs: dict[str, None] = {}
        self._known_sources, self._known_refs, self._place = sources, refs, place
        self._turns = 0

    def source(self, name: str) -> _Sql:
        if name not in self._known_sources:
            _refuse(self._place, f"there is no source `{name}` for it")
        self.sources[name] = None
        return _Sql(identifier(source_relation(name)))

    def ref(self, name: str) -> _Sql:
        if name not in self._known_refs:
            _refuse(self._place, f"there is no feature set `{name}` for it")
        self.refs[name] = None
        return _Sql(identifier(ref_relation(name)))

    def numbers(self, *bounds: int) -> range:
        found = range(*bounds)
        if len(found) > MOST_TURNS:
            self._too_many()
        return found

    def turn(self) -> _Sql:
        self._turns += 1
        if self._turns > MOST_TURNS:
            self._too_many()
        return _Sql()

    def _too_many(self) -> NoReturn:
        _refuse(self._place, f"its loops turn more than {MOST_TURNS:,} times")


def _compile(text: str, place: str) -> Template:
    if len(text) > LONGEST:
        _refuse(place, f"it is longer than {LONGEST:,} characters")
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=lambda value: _finalized(value, place), keep_trailing_newline=True
    )
    try:
        tree = environment.parse(text)
        for node in list(tree.find_all(nodes.Node)):
            _check(node, place)
        for loop in list(tree.find_all(nodes.For)):
            turn = nodes.Call(nodes.Name(_TURN, "load"), [], [], None, None)
            loop.body.insert(0, nodes.Output([turn]).set_lineno(loop.lineno))
        tree.set_environment(environment)
        return Template.from_code(environment, environment.compile(tree), {})
    except TemplateSyntaxError as error:
        _refuse(f"{place}, line {error.lineno}", str(error.message), error)
    except (RecursionError, SyntaxError) as error:
        _refuse(place, "it is nested too deeply", error)


def _check(node: nodes.Node, place: str) -> None:
    where = f"{place}, line {node.lineno}"
    if not isinstance(node, _ALLOWED):
        _refuse(where, f"a template may not use a {_word(node)}")
    if isinstance(node, nodes.Call):
        if not isinstance(node.node, nodes.Name) or node.node.name not in _CALLS:
            _refuse(where, "a template may call source, ref and range, and nothing else")
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            _refuse(where, f"`{node.node.name}` takes plain arguments")
    if isinstance(node, nodes.Getattr) and not (
        isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP
    ):
        _refuse(where, f"a template may not look at attributes, other than {', '.join(f'loop.{one}' for one in _LOOP)}")
    if isinstance(node, nodes.For) and (node.test is not None or node.recursive):
        _refuse(where, "a loop takes neither `if` nor `recursive`")
    if isinstance(node, nodes.Name) and node.name.startswith("_"):
        _refuse(where, f"a template knows no `{node.name}`")


def _word(node: nodes.Node) -> str:
    return {"Getitem": "subscript", "FilterBlock": "filter", "CallBlock": "call block", "Concat": "`~`"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def _finalized(value: object, place: str) -> Any:
    """What may be inserted: relations and bound values, and the numbers and words that the template itself holds."""
    if isinstance(value, Undefined):
        return str(value)  # which says what is not there, as an error
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return value
    return _refuse(place, f"it inserts {value!r}, which is neither a number nor a word")


def _refuse(place: str, reason: str, cause: BaseException | None = None) -> NoReturn:
    message = f"{place}: {reason}"
    raise InvalidData(message, "it may use source('name'), ref('name'), as_of, if, for and set") from cause
