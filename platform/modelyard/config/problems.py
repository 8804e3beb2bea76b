"""What is wrong with a project's files: every problem with its place, gathered into one error.

A check yields a `Finding`: a path into a document. The loader knows where the document lies, and makes a `Problem`
of it: a place in a file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

FieldPath = tuple[str | int, ...]
"""Keys and indexes from a document's root down to a value."""


class Finding(NamedTuple):
    """Something wrong in a document, by its path."""

    path: FieldPath
    reason: str
    hint: str
    """What to do about it; there always is something."""
    at_key: bool = False
    """Whether the last key of the path is what is wrong, rather than its value."""


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong in a file, by its place. They sort by file and place."""

    file: Path
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    field: str
    """The path of the field, such as `data.features[0]`; empty for a whole document."""
    reason: str
    hint: str

    def content(self) -> dict[str, Any]:
        """The problem as plain JSON values."""
        return {**asdict(self), "file": shown_file(self.file)}

    def __str__(self) -> str:
        head = f"{shown_file(self.file)}:{self.line}:{self.column}"
        line = "  ".join(part for part in (head, self.field, self.reason) if part)
        return f"{line}\n  hint: {self.hint}"


class ConfigErrors(InvalidData):
    """A project's files have problems; all of them are here.

    Args:
        problems: The problems, in any order; one place keeps the first that was found there.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        first: dict[tuple[Path, int, int, str], Problem] = {}
        for problem in problems:
            first.setdefault((problem.file, problem.line, problem.column, problem.field), problem)
        self.problems: Sequence[Problem] = tuple(sorted(first.values()))
        super().__init__(summary(self.problems))

    def __str__(self) -> str:
        return f"{self.reason}\n{render_problems(self.problems)}"

    def __reduce__(self) -> tuple[type[ConfigErrors], tuple[Sequence[Problem]]]:  # type: ignore[override]
        return type(self), (self.problems,)  # the problems are the facts; the words follow from them


def summary(problems: Collection[Problem]) -> str:
    """How many problems there are, in how many files."""
    files = len({problem.file for problem in problems})
    return f"{counted(len(problems), 'problem')} in {counted(files, 'file')}"


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def render_problems(problems: Iterable[Problem]) -> str:
    """The report for people: a line for each problem, as compilers write them, and its hint below."""
    return "\n".join(str(problem) for problem in problems)


def shown_file(file: Path) -> str:
    """A file's name as people and editors find it: from the current folder, where it lies below."""
    try:
        return file.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.as_posix()


def field_name(path: FieldPath) -> str:
    """A path as it is written: `data.features[0].source`."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(words).removeprefix(".")


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
