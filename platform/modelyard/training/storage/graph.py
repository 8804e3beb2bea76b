"""A walk over everything that a fitted pipeline holds."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LEAVES = (str, bytes, int, float, complex, type, ModuleType, FunctionType, MethodType, BuiltinFunctionType, np.generic)


def walk(root: Any) -> Iterator[Any]:
    """Every object that is reached from `root` through attributes and containers, once, `root` first."""
    waiting, seen = [root], {id(root)}
    while waiting:
        found = waiting.pop()
        yield found
        for held in _held(found):
            if held is not None and not isinstance(held, _LEAVES) and id(held) not in seen:
                seen.add(id(held))
                waiting.append(held)


def _held(holder: Any) -> Iterable[Any]:
    if isinstance(holder, dict):
        return list(holder.values())
    if isinstance(holder, list | tuple | set | frozenset):
        return holder
    if isinstance(holder, np.ndarray):
        return list(holder.flat) if holder.dtype == object else ()
    return list(getattr(holder, "__dict__", {}).values())
