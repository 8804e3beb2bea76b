"""A YAML document as read, and where each of its values stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs hide it; libyaml's parser is its own door
from yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent

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
    """The place of a value, and those of what it holds."""

    place: Place
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
    value: Any
    """Its plain values: dicts, lists, text, numbers, truth values, dates, None."""
    text: str
    """Its text, for the places of what is wrong in it."""
    first_line: int
    """How many lines stand above the text in its file."""
    refused: frozenset[tuple[int, int]] = frozenset()
    """The places of what was read and is not allowed: nothing more is said of them."""

    @property
    def sound(self) -> bool:
        """Whether it was read without a problem."""
        return not self.refused

    @property
    def inserts(self) -> bool:
        """Whether something may have to be inserted into it."""
        return "${" in self.text

    @cached_property
    def node(self) -> Node:
        """The places of its values, read again from its text."""
        return read_nodes(self.text, self.first_line)

    def problem(self, finding: Finding) -> Problem:
        """A finding at its place: that of its path, or of the nearest part above it that was written."""
        place = key_place(self.node, finding.path) if finding.at_key else locate(self.node, finding.path)[0]
        return Problem(self.file, *place, field_name(finding.path), finding.reason, finding.hint)

    def problems(self, findings: Iterable[Finding]) -> Iterator[Problem]:
        """Findings at their places, but those of values that are refused already."""
        return (self.problem(finding) for finding in findings if not self._is_refused(finding))

    def _is_refused(self, finding: Finding) -> bool:
        if self.sound:
            return False
        _, node = locate(self.node, finding.path)
        return not self.refused.isdisjoint((node.place, key_place(self.node, finding.path)))


def read_nodes(text: str, first_line: int) -> Node:
    """The places of the values of a text with one document, which was read before.

    Args:
        text: The document's text.
        first_line: How many lines stand above it in its file.
    """
    parser = CParser(text)
    for _ in ("the stream's start", "the document's start"):
        parser.get_event()
    return _NodeReader(parser, first_line).read(parser.get_event())


class _NodeReader:
    """Makes nodes of a parser's events."""

    def __init__(self, parser: Any, first_line: int) -> None:
        self._parser = parser
        self._first_line = first_line

    def read(self, event: Any) -> Node:
        """The node of a value whose first event was just read."""
        mark = event.start_mark
        node = Node(Place(mark.line + self._first_line + 1, mark.column + 1), getattr(event, "value", ""))
        if isinstance(event, MappingStartEvent):
            self._read_mapping(node)
        elif isinstance(event, SequenceStartEvent):
            self._read_list(node)
        return node

    def _read_mapping(self, node: Node) -> None:
        node.keys = {}
        children: dict[str, Node] = {}
        while not isinstance(event := self._parser.get_event(), MappingEndEvent):
            key = self.read(event)
            value = self.read(self._parser.get_event())
            node.keys.setdefault(key.text, key.place)
            children.setdefault(key.text, value)
        node.children = children

    def _read_list(self, node: Node) -> None:
        children = []
        while not isinstance(event := self._parser.get_event(), SequenceEndEvent):
            children.append(self.read(event))
        node.children = children


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
    return keys.get(str(path[-1]), place) if path else place
