"""The files of a project, sorted by kind: which documents there are, before anyone asks what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.config.discovery import PROJECT_FILE, document_files
from modelyard.config.kinds import KINDS
from modelyard.config.problems import Finding, Problem
from modelyard.config.yaml_reader import read_documents
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from modelyard.config.nodes import RawDocument

NOT_A_DOCUMENT = (
    "every YAML file of a project is a document; "
    "move it out, or into a folder whose name begins with a dot, if it is something else"
)


@dataclass
class Intake:
    """What was found in a project's files."""

    root: Path
    problems: list[Problem] = field(default_factory=list)
    documents: dict[str, list[RawDocument]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    """By kind, in the order of files."""
    broken: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    """By kind, the names of documents with problems: others may name them without another problem."""

    def report(self, raw: RawDocument, findings: Iterable[Finding]) -> bool:
        """Keep what was found in a document.

        Returns:
            Whether there was anything.
        """
        found = list(findings)
        self.problems += raw.problems(found)
        if found:
            self.mark_broken(raw)
        return bool(found)

    def mark_broken(self, raw: RawDocument) -> None:
        """Remember that a document has problems."""
        if not isinstance(raw.value, dict):
            return
        kind, name = raw.value.get("kind"), raw.value.get("name")
        if isinstance(kind, str) and kind in KINDS and isinstance(name, str):
            self.broken[kind].add(name)


def take_in(root: Path, tell: Callable[[float], None]) -> Intake:
    """Read every file of a project.

    Args:
        root: The project's folder.
        tell: Is told how much is read so far, from 0 to 1.
    """
    intake = Intake(root)
    files = document_files(root)
    for index, file in enumerate(files):
        tell(index / len(files))
        read = read_documents(file)
        intake.problems += read.problems
        for kind, name in read.lost:
            intake.broken.setdefault(kind, set()).add(name)
        for raw in read.documents:
            if not raw.sound:
                intake.mark_broken(raw)
            if not intake.report(raw, _check_kind(raw, root)):
                intake.documents[raw.value["kind"]].append(raw)
    project_file = root / PROJECT_FILE
    if not intake.documents["Project"] and not any(problem.file == project_file for problem in intake.problems):
        reason = f"{PROJECT_FILE} holds no document of kind Project"
        intake.problems.append(Problem(project_file, 1, 1, "", reason, "begin it with `kind: Project` and a name"))
    return intake


def _check_kind(raw: RawDocument, root: Path) -> Iterator[Finding]:
    value = raw.value
    if not isinstance(value, dict):
        yield Finding((), "a document is a mapping (`key: value`)", NOT_A_DOCUMENT)
        return
    kind = value.get("kind")
    if kind is None:
        yield Finding(("kind",), "`kind` is missing", NOT_A_DOCUMENT if "apiVersion" not in value else _kinds(kind))
    elif not isinstance(kind, str) or kind not in KINDS:
        yield Finding(("kind",), f"there is no kind `{kind}`", _kinds(kind))
    elif kind == "Project" and raw.file != root / PROJECT_FILE:
        yield Finding(("kind",), "a project has one document of kind Project", f"it stands in {PROJECT_FILE}")


def _kinds(kind: object) -> str:
    return near_miss(kind, KINDS, what="the kinds are")
