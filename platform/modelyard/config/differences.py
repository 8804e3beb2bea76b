"""Two plain JSON values, field by field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from modelyard.canonical import canonical_json
from modelyard.config.substitution import unset_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*")
_LONGEST_SHOWN = 60  # characters; a field's line stays one line


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""The value of a field that is not there, or that has its default."""


@dataclass(frozen=True)
class FieldChange:
    """One field that differs."""

    path: str
    """Such as `pipeline[1].with.learning_rate`."""
    old: Any = ABSENT
    new: Any = ABSENT

    def content(self) -> dict[str, Any]:
        """The change as plain JSON values; what is absent is left out."""
        values = {"path": self.path, "old": self.old, "new": self.new}
        return {key: value for key, value in values.items() if value is not ABSENT}

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.old)} → {_shown(self.new)}"


def differences(old: Any, new: Any, path: str = "") -> Iterator[FieldChange]:
    """The fields in which two values differ, in the order of the new one.

    A new value that waits for an environment variable is not known, so it differs from nothing.

    Args:
        old: Plain JSON values, or ABSENT.
        new: Plain JSON values, or ABSENT.
        path: Where they stand.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), _below(path, key))
    elif _is_structured(old) and _is_structured(new):
        for index, (before, after) in enumerate(zip_longest(old, new, fillvalue=ABSENT)):
            yield from differences(before, after, f"{path}[{index}]")
    elif not _is_same(old, new) and not unset_variables(new):
        yield FieldChange(path, old, new)


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values have one identity; `==` would take 1 for true."""
    return old is not ABSENT and new is not ABSENT and canonical_json(old) == canonical_json(new)


def _is_structured(value: Any) -> bool:
    """Whether a list is compared by its items; a list of scalars reads better as a whole."""
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _below(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "(not set)"
    if isinstance(value, str) and "\n" in value:
        return f"(text of {len(value.splitlines())} lines)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
