"""Conditions of rules: a small part of Python's expressions, evaluated over a frame's columns at once.

Nothing of Python is run: an expression is parsed, and each node of its tree is either known here or an error.
One more operator is one more line in a table. A comparison with a missing value does not hold, as in SQL's `where`.
"""

from __future__ import annotations

import ast
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

MAX_LENGTH = 10_000  # longer than any rule that a person can check

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.true_divide,
    ast.Mod: np.mod,
}
SYNTAX_HINT = "a condition compares columns and values: `a < 2.5 and (b in ['x', 'y'] or c is None)`"


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> ast.expr:
    """The syntax tree of a condition.

    Raises:
        InvalidData: It is no expression, or too long.
    """
    if len(text) > MAX_LENGTH:
        reason = f"the condition has {len(text):,} characters; {MAX_LENGTH:,} are allowed"
        raise InvalidData(reason)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        reason = f"the condition `{text}` can't be read: {error}"
        raise InvalidData(reason, SYNTAX_HINT) from error


def holds(text: str, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """For each row, whether a condition holds.

    Args:
        text: Such as `petal_length < 2.5 and species != 'setosa'`.
        frame: The rows.

    Raises:
        InvalidData: The condition can't be read, names an unknown column, or compares what can't be compared.
    """
    try:
        value: npt.NDArray[np.bool_] = _Evaluation(text, frame).visit(parse_condition(text))
    except RecursionError as error:
        reason = f"the condition `{text[:100]}` is nested too deeply"
        raise InvalidData(reason, "write several rules") from error
    if value.dtype != np.bool_:
        reason = f"`{text}` is a value, not a condition"
        raise InvalidData(reason, SYNTAX_HINT)
    return value


class _Evaluation(ast.NodeVisitor):
    """Evaluates a tree over a frame, each value one array as long as it. A node without a method here is refused."""

    def __init__(self, text: str, frame: pd.DataFrame) -> None:
        self.text = text
        self.frame = frame

    def generic_visit(self, node: ast.AST) -> Any:
        written = ast.get_source_segment(self.text.strip(), node)
        reason = f"`{written or type(node).__name__}` can't stand in the condition `{self.text}`"
        raise InvalidData(reason, SYNTAX_HINT)

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id not in self.frame.columns:
            reason = f"the condition `{self.text}` names the column `{node.id}`, which is not there"
            raise InvalidData(reason, f"there are {', '.join(f'`{name}`' for name in self.frame.columns)}")
        return self.frame[node.id].to_numpy()

    def visit_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, str):
            return np.full(len(self.frame), node.value, dtype=object)
        if isinstance(node.value, int | float):
            # As floats: whole numbers of any length would make arithmetic as slow as their author likes.
            return np.full(len(self.frame), float(node.value))
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return combine.reduce([self._condition(value) for value in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return ~self._condition(node.operand)
        return -self._number(node.operand) if isinstance(node.op, ast.USub) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        operation = ARITHMETIC.get(type(node.op))
        if operation is None:
            return self.generic_visit(node)
        with np.errstate(all="ignore"):  # a division by zero is missing or infinite, as in a data frame
            return operation(self._number(node.left), self._number(node.right))

    def visit_Compare(self, node: ast.Compare) -> Any:
        sides = [node.left, *node.comparators]
        pairs = zip(node.ops, sides[:-1], sides[1:], strict=True)
        return np.logical_and.reduce([self._compare(*pair) for pair in pairs])

    def _compare(self, comparison: ast.cmpop, left: ast.expr, right: ast.expr) -> Any:
        value = self.visit(left)
        if isinstance(comparison, ast.Is | ast.IsNot):
            is_none = isinstance(right, ast.Constant) and right.value is None
            return pd.isna(value) == isinstance(comparison, ast.Is) if is_none else self.generic_visit(right)
        if isinstance(comparison, ast.In | ast.NotIn):
            items = right.elts if isinstance(right, ast.List | ast.Tuple) else [self.generic_visit(right)]
            found = np.logical_or.reduce([self._relation(operator.eq, value, self.visit(item)) for item in items])
            return pd.notna(value) & (found == isinstance(comparison, ast.In))
        return self._relation(COMPARISONS[type(comparison)], value, self.visit(right))

    def _relation(self, operation: Callable[[Any, Any], Any], value: Any, other: Any) -> Any:
        known = pd.notna(value) & pd.notna(other)
        result = np.zeros(len(self.frame), dtype=bool)
        try:
            result[known] = operation(value[known], other[known])
        except TypeError as error:
            reason = f"the condition `{self.text}` compares a text with a number"
            raise InvalidData(reason, "write texts in quotes, and numbers without") from error
        return result

    def _condition(self, node: ast.expr) -> Any:
        value = self.visit(node)
        return value if value.dtype == np.bool_ else self.generic_visit(node)

    def _number(self, node: ast.expr) -> Any:
        value = self.visit(node)
        return value if value.dtype.kind == "f" else self.generic_visit(node)
