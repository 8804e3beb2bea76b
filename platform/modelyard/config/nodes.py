"""A YAML document as read: plain values, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.config.problems import Problem, field_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from modelyard.config.problems import FieldPath, Finding


class Place(NamedTuple):
    """A place in a file, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value with its place, and those of what it holds."""

    place: Place
    value: Any
    """The plain value: a dict, a list, text, a number, a truth value, a date or None."""
    text: str = ""
    """A scalar as written, without its quotes."""
    keys: dict[str, Place] | None = None
    """A mapping's keys."""
    children: dict[str, Node] | list[Node] | None = None
    """What a mapping or a list holds."""

    def child(self, step: str | int) -> Node | None:
        """What stands under a key or an index; None where nothing does."""
        if isinstance(self.children, dict):
            return self.children.get(step) if isinstance(step, str) else None
        if isinstance(self.children, list) and isinstance(step, int) and step < len(self.children):
            return self.children[step]
        return None


@dataclass(frozen=True)
class RawDocument:
    """One document of a file, before anyone asks what it means."""

    file: Path
    node: Node
    sound: bool
    """Whether it was read without a problem."""
    inserts: bool
    """Whether `${` occurs in it, so that something may have to be inserted."""

    @property
    def value(self) -> Any:
        """The plain value of the whole document."""
        return self.node.value

    def problem(self, finding: Finding) -> Problem:
        """A finding at its place: that of its path, or of the nearest part above it that was written."""
        place = key_place(self.node, finding.path) if finding.at_key else locate(self.node, finding.path)[0]
        return Problem(self.file, *place, field_name(finding.path), finding.reason, finding.hint)

    def problems(self, findings: Iterable[Finding]) -> Iterator[Problem]:
        """Findings at their places."""
        return map(self.problem, findings)


def locate(root: Node, path: FieldPath) -> tuple[Place, Node]:
    """The place of a path, and the innermost value on the way to it that was written.

    A value that a key names is at its own place; a mapping or a list below a key is at its key, where people look.
    """
    node, place = root, root.place
    for step in path:
        inner = node.child(step)
        if inner is None:
            break
        key = (node.keys or {}).get(step) if isinstance(step, str) else None
        place = key if key is not None and inner.children is not None else inner.place
        node = inner
    return place, node


def key_place(root: Node, path: FieldPath) -> Place:
    """The place of the last key of a path; where it is no key, that of its value."""
    place, parent = locate(root, path[:-1])
    keys = parent.keys or {}
    return keys.get(str(path[-1]), place)
