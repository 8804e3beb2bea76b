"""A YAML file to its documents, and all that is wrong in how they are written.

A file is cut at its `---` lines first, so that a document which cannot be parsed leaves the others to be read.
"""

from __future__ import annotations

import errno
import re
import stat
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from yaml import MarkedYAMLError

from modelyard.config.nodes import RawDocument
from modelyard.config.problems import Problem
from modelyard.config.yaml_values import TooDeepError, ValueReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_FILE = 1 << 20  # bytes; a document is some kilobytes, and what is larger was not written by hand

_DOCUMENT_START = re.compile(r"^---(?=\s|$)", re.MULTILINE)
# What YAML forbids, and line breaks that editors do not show: places would be off by a line.
_UNPRINTABLE = re.compile(
    "\r(?!\n)|[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
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
        data = read_bytes(file)
    except OSError as error:
        hint = "look at its permissions, and at what it links to"
        return ReadFile(problems=[Problem(file, 1, 1, "", f"the file cannot be read: {error.strerror}", hint)])
    return parse_documents(data, file)


def read_bytes(file: Path) -> bytes:
    """The bytes of a file, and one more than it may have at most.

    Raises:
        OSError: It cannot be read, or is no file: opening a named pipe would wait for whoever writes into it.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    with file.open("rb") as opened:
        return opened.read(LARGEST_FILE + 1)


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
        _read_chunk(chunk, first_line, file, found)
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


def _read_chunk(chunk: str, first_line: int, file: Path, found: ReadFile) -> None:
    reader = ValueReader(file, first_line)
    try:
        value, is_there = reader.read(chunk)
    except MarkedYAMLError as error:
        found.problems += [*reader.problems, _syntax_problem(error, first_line, file)]
        found.lost += _kind_and_name(chunk)
        return
    found.problems += reader.problems
    if is_there:
        refused = frozenset((problem.line, problem.column) for problem in reader.problems)
        found.documents.append(RawDocument(file, value, chunk, first_line, refused))


def _syntax_problem(error: MarkedYAMLError, first_line: int, file: Path) -> Problem:
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    context = error.context or ""
    if begun and begun.line != line:
        context += f" that begins in line {begun.line + first_line + 1}"
    reason = ", ".join(part for part in (context, error.problem) if part)
    place = (file, line + first_line + 1, column + 1, "")
    if isinstance(error, TooDeepError):
        return Problem(*place, context, "write less into one document")
    return Problem(*place, f"not YAML: {reason}", _syntax_hint(error.problem or ""))


_SYNTAX_HINT = 'check the indentation, the brackets and the quotes above this place; within braces, quote "${name}"'


def _syntax_hint(problem: str) -> str:
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs; quote text that begins with one of @ ` % or holds a tab"
    if "mapping values are not allowed" in problem:
        return "quote text with `: ` in it, and check the indentation"
    return _SYNTAX_HINT
