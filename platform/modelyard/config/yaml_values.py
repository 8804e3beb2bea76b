"""The text of a YAML document to plain values, and all that is wrong in how they are written.

A strict part of YAML: no tags, no anchors, no merge keys, keys are text and stand once, scalars mean what every
reader agrees on (`scalars.py`). Places are not kept: `nodes.py` finds them again for the few documents with a
problem, which is twice as fast for all the others, and takes a quarter of the memory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from yaml import MarkedYAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs hide it; libyaml's parser is its own door
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from modelyard.config.problems import Problem
from modelyard.config.scalars import read_plain

if TYPE_CHECKING:
    from pathlib import Path

GREATEST_DEPTH = 32  # the deepest document that anyone needs has 12

_NOT_IN_VALUES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class TooDeepError(MarkedYAMLError):
    """A document is nested too deeply to be read on."""


class ValueReader:
    """Reads the one document of a text.

    Args:
        file: The text's file, for places.
        first_line: How many lines stand above the text in its file.
    """

    def __init__(self, file: Path, first_line: int) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._first_line = first_line

    def read(self, text: str) -> tuple[Any, bool]:
        """The document's value, and whether there is a document at all; what is wrong goes to `problems`.

        Raises:
            YAMLError: The text is no YAML, or too deep.
        """
        parser = CParser(text)
        parser.get_event()  # the stream's start
        if isinstance(parser.get_event(), StreamEndEvent):
            return None, False
        first = parser.get_event()
        value = self._value(parser, first, 0)
        for _ in ("the document's end", "the stream's end"):
            parser.get_event()
        return value, not (value is None and isinstance(first, ScalarEvent) and not first.value)

    def _value(self, parser: Any, event: Any, depth: int) -> Any:
        kind = type(event)
        if event.anchor is not None:
            self._complain_of_anchor(event)
        if kind is AliasEvent:
            return None
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(event, f"the tag `{tag}` is not allowed", "remove it; a field's type is known")
        if kind is ScalarEvent:
            return self._scalar(event)
        if depth >= GREATEST_DEPTH:
            # Not read to its end: libyaml takes minutes for a file of nothing but brackets.
            reason = f"this is nested more than {GREATEST_DEPTH} levels deep"
            raise TooDeepError(reason, problem_mark=event.start_mark)
        return self._mapping(parser, depth) if kind is MappingStartEvent else self._list(parser, depth)

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.style:
            if _NOT_IN_VALUES.search(text):
                self._complain(event, "the text holds a control character", "remove it")
            return text
        plain = read_plain(text)
        if plain.reason:
            self._complain(event, plain.reason, plain.hint)
        return plain.value

    def _list(self, parser: Any, depth: int) -> list[Any]:
        values = []
        while type(event := parser.get_event()) is not SequenceEndEvent:
            values.append(self._value(parser, event, depth + 1))
        return values

    def _mapping(self, parser: Any, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := parser.get_event()) is not MappingEndEvent:
            key = self._key(parser, event, depth)
            value = self._value(parser, parser.get_event(), depth + 1)
            if key in values:
                self._complain(event, f"the key `{key}` stands here twice", "keep one of them")
            else:
                values[key] = value
        return values

    def _key(self, parser: Any, event: Any, depth: int) -> str:
        key = self._value(parser, event, depth + 1)
        if type(key) is str and key != "<<":
            return key
        text: str = getattr(event, "value", "")
        if text == "<<":
            self._complain(event, "merge keys (`<<`) are not allowed", "write the fields out")
        elif isinstance(key, dict | list):
            self._complain(event, "a key must be text, not a list or a mapping", "write text before the colon")
        elif not text:
            self._complain(event, "a key is missing before the colon", "write it, or remove the colon")
        else:
            hint = f'write "{text}" in quotes'
            self._complain(event, f"a key must be text, and `{text}` is {_described(key)}", hint)
        return text

    def _complain(self, event: Any, reason: str, hint: str) -> None:
        mark = event.start_mark
        line, column = mark.line + self._first_line + 1, mark.column + 1
        self.problems.append(Problem(self._file, line, column, "", reason, hint))

    def _complain_of_anchor(self, event: Any) -> None:
        mark = "*" if isinstance(event, AliasEvent) else "&"
        hint = "write the value out; what several documents share is a variable of modelyard.yaml"
        self._complain(event, f"anchors and aliases (`{mark}{event.anchor}`) are not allowed", hint)


def _described(value: object) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "a truth value"
    return "a number" if isinstance(value, int | float) else "a date"
