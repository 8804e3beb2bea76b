"""Bytes of a YAML file to plain values, each with its place, and all that is wrong in how they are written.

A strict part of YAML: no tags, no anchors, no merge keys, keys are text and stand once, scalars mean what every
reader agrees on (`scalars.py`). What the parser (libyaml) sees as events becomes nodes in one pass, so that
positions cost nothing more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from yaml import MarkedYAMLError, YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs hide it; libyaml's parser is its own door
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from modelyard.config.nodes import Node, Place, RawDocument
from modelyard.config.problems import Problem
from modelyard.config.scalars import read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_FILE = 1 << 20  # bytes; a document is some kilobytes, and what is larger was not written by hand
GREATEST_DEPTH = 32  # the deepest document that anyone needs has 12

_DOCUMENT_START = re.compile(r"^---(?=\s|$)", re.MULTILINE)
# What YAML forbids, and the line breaks of YAML 1.1 that editors do not show: places would be off by a line.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_VALUES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "UTF-8 with a byte order mark", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass
class ReadFile:
    """The documents of a file, and what is wrong in how they are written."""

    documents: list[RawDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    """Kind and name of documents that cannot be parsed, so that nobody is told that they are not there."""


def read_documents(file: Path) -> ReadFile:
    """Every document of a file."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        return ReadFile(problems=[Problem(file, 1, 1, "", f"the file cannot be read: {error.strerror}")])
    return parse_documents(data, file)


def parse_documents(data: bytes, file: Path) -> ReadFile:
    """Every document in a file's bytes; a document that cannot be read leaves the others to be read.

    Args:
        data: The file's bytes.
        file: The file's name, for places.
    """
    text = _decoded(data, file)
    if isinstance(text, Problem):
        return ReadFile(problems=[text])
    found = ReadFile()
    for first_line, chunk in _chunks(text):
        reader = _DocumentReader(file, first_line)
        document = reader.read(chunk)
        found.problems += reader.problems
        if document is not None:
            found.documents.append(document)
        elif reader.problems:
            found.lost += _kind_and_name(chunk)
    if not found.documents and not found.problems:
        hint = "write a document into it, or remove it"
        found.problems.append(Problem(file, 1, 1, "", "the file is empty", hint))
    return found


def _decoded(data: bytes, file: Path) -> str | Problem:
    if len(data) > LARGEST_FILE:
        hint = "split it; data belongs into a Source's files"
        return Problem(file, 1, 1, "", "the file is larger than 1 MiB", hint)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return Problem(file, 1, 1, "", f"the file is {encoding}", "save it as plain UTF-8")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place_in(data[: error.start].decode())
        reason = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        return Problem(file, line, column, "", reason, "save the file as plain UTF-8")
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        line, column = _place_in(text[: unprintable.start()])
        reason = f"the character U+{ord(unprintable[0]):04X} is not allowed in YAML"
        return Problem(file, line, column, "", reason, "remove it")
    return text


def _place_in(before: str) -> tuple[int, int]:
    """The place right after some text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """The text of each document from its `---` on, with the lines above it; one that fails spares the next."""
    starts = [match.start() for match in _DOCUMENT_START.finditer(text)]
    edges = [0, *(start for start in starts if start), len(text)]
    line = 0
    for start, end in pairwise(edges):
        yield line, text[start:end]
        line += text.count("\n", start, end)


def _kind_and_name(chunk: str) -> list[tuple[str, str]]:
    kind, name = (re.search(rf"^{key}: *(\w+) *$", chunk, re.MULTILINE) for key in ("kind", "name"))
    return [(kind[1], name[1])] if kind and name else []


class _DocumentReader:
    """Reads the one document of a chunk."""

    def __init__(self, file: Path, first_line: int) -> None:
        self.file = file
        self.first_line = first_line
        self.problems: list[Problem] = []

    def read(self, chunk: str) -> RawDocument | None:
        """The document; None where there is none, or where it cannot be parsed."""
        try:
            node = self._document(CParser(chunk))
        except MarkedYAMLError as error:
            self._complain_of_syntax(error)
            return None
        except YAMLError as error:
            self.problems.append(Problem(self.file, self.first_line + 1, 1, "", f"not YAML: {error}"))
            return None
        if node is None:
            return None
        return RawDocument(self.file, node, sound=not self.problems, inserts="${" in chunk)

    def _document(self, parser: Any) -> Node | None:
        parser.get_event()  # the stream's start
        if isinstance(parser.get_event(), StreamEndEvent):
            return None
        node = self._node(parser, parser.get_event(), 0)
        parser.get_event()  # the document's end
        event = parser.get_event()
        if isinstance(event, DocumentStartEvent):
            self._complain(self._place(event), "another document begins here", "begin each document with a line `---`")
        return None if node.value is None and not node.text else node

    def _node(self, parser: Any, event: Any, depth: int) -> Node:
        place = self._place(event)
        if event.anchor is not None:
            self._complain_of_anchor(event, place)
        kind = type(event)
        if kind is AliasEvent:
            return Node(place, None)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(place, f"the tag `{tag}` is not allowed", "remove it; a field's type is known")
        if kind is ScalarEvent:
            return self._scalar(event, place)
        if depth >= GREATEST_DEPTH:
            return self._too_deep(parser, place)
        if kind is MappingStartEvent:
            return self._mapping(parser, place, depth)
        return self._list(parser, place, depth)

    def _scalar(self, event: Any, place: Place) -> Node:
        text: str = event.value
        if event.style is not None and event.style != "":
            if _NOT_IN_VALUES.search(text):
                self._complain(place, "the text holds a control character", "remove it")
            return Node(place, text, text)
        plain = read_plain(text)
        if plain.reason:
            self._complain(place, plain.reason, plain.hint)
        return Node(place, plain.value, text)

    def _list(self, parser: Any, place: Place, depth: int) -> Node:
        children = []
        while type(event := parser.get_event()) is not SequenceEndEvent:
            children.append(self._node(parser, event, depth + 1))
        return Node(place, [child.value for child in children], children=children)

    def _mapping(self, parser: Any, place: Place, depth: int) -> Node:
        keys: dict[str, Place] = {}
        children: dict[str, Node] = {}
        while type(event := parser.get_event()) is not MappingEndEvent:
            key = self._node(parser, event, depth + 1)
            value = self._node(parser, parser.get_event(), depth + 1)
            name = self._key(key)
            if name in keys:
                self._complain(
                    key.place, f"the key `{name}` stands here twice", f"the other is in line {keys[name][0]}"
                )
            else:
                keys[name], children[name] = key.place, value
        return Node(place, {name: child.value for name, child in children.items()}, keys=keys, children=children)

    def _key(self, key: Node) -> str:
        if type(key.value) is str and key.value != "<<":
            return key.value
        if key.value == "<<":
            self._complain(key.place, "merge keys (`<<`) are not allowed", "write the fields out")
        elif key.children is not None:
            self._complain(key.place, "a key must be text, not a list or a mapping")
        elif not key.text:
            self._complain(key.place, "a key is missing before the colon")
        else:
            hint = f'write "{key.text}" in quotes'
            self._complain(key.place, f"a key must be text, and `{key.text}` is {_described(key.value)}", hint)
        return key.text

    def _too_deep(self, parser: Any, place: Place) -> Node:
        self._complain(place, f"this is nested more than {GREATEST_DEPTH} levels deep")
        level = 1
        while level:
            kind = type(parser.get_event())
            level += (kind is MappingStartEvent or kind is SequenceStartEvent) - (
                kind is MappingEndEvent or kind is SequenceEndEvent
            )
        return Node(place, None)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(mark.line + self.first_line + 1, mark.column + 1)

    def _complain(self, place: Place, reason: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, *place, "", reason, hint))

    def _complain_of_anchor(self, event: Any, place: Place) -> None:
        mark = "*" if isinstance(event, AliasEvent) else "&"
        hint = "write the value out; what several documents share is a variable of modelyard.yaml"
        self._complain(place, f"anchors and aliases (`{mark}{event.anchor}`) are not allowed", hint)

    def _complain_of_syntax(self, error: MarkedYAMLError) -> None:
        mark, begun = error.problem_mark or error.context_mark, error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        context = error.context or ""
        if begun and begun.line != line:
            context += f" that begins in line {begun.line + self.first_line + 1}"
        reason = ", ".join(part for part in (context, error.problem) if part)
        place = Place(line + self.first_line + 1, column + 1)
        self._complain(place, f"not YAML: {reason}", _syntax_hint(error.problem or ""))


def _syntax_hint(problem: str) -> str:
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs; quote text that begins with one of @ ` % or holds a tab"
    if "mapping values are not allowed" in problem:
        return "quote text with `: ` in it, and check the indentation"
    if "did not find expected" in problem or "could not find expected" in problem:
        return 'check the indentation, the brackets and the quotes above this place; within braces, quote "${name}"'
    return ""


def _described(value: object) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "a truth value"
    return "a number" if isinstance(value, int | float) else "a date"
