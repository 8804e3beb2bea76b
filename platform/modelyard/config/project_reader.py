"""`modelyard.yaml` to what the other documents need of it, even where a part of it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.config.discovery import PROJECT_FILE
from modelyard.config.kinds import Project
from modelyard.config.model_resolution import read_bundles
from modelyard.config.problems import Finding
from modelyard.config.substitution import names_in
from modelyard.config.validation import validate
from modelyard.config.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.config.intake import Intake
    from modelyard.config.nodes import RawDocument

_LEAST = {"apiVersion": "modelyard/v1", "kind": "Project", "name": "unknown"}


@dataclass(frozen=True)
class ProjectFacts:
    """What a project's document says. What is not known is checked nowhere: its own problem is reported."""

    document: Project
    names: dict[str, Any] | None = None
    """The variables; None where they are not known."""
    modules: tuple[str, ...] | None = None
    """The modules that pipelines may name; None where they are not known."""
    bundles: Mapping[str, str] | None = None
    """The digests of the project's own modules."""


def read_project(intake: Intake, environment: str, process: Mapping[str, str]) -> ProjectFacts:
    """The facts of a project; its problems go to the intake.

    Args:
        intake: The project's files.
        environment: The environment whose values the variables have.
        process: The environment variables of this process.
    """
    if not intake.documents["Project"]:
        return ProjectFacts(Project.model_validate(_LEAST))
    raw, *others = intake.documents["Project"]
    for other in others:
        intake.report(other, [Finding(("kind",), "a project has one document of kind Project", "remove this one")])
    intake.report(raw, _check_nothing_inserted(raw.value))
    document, wrong = _as_far_as_right(intake, raw)
    names, modules, bundles = None, None, None
    if "vars" not in wrong:
        names, findings = read_variables(document, environment, process)
        intake.report(raw, findings)
    if "modules" not in wrong:
        modules = document.modules
        bundles, findings = read_bundles(intake.root, modules)
        intake.report(raw, findings)
    return ProjectFacts(document, names, modules, bundles)


def _as_far_as_right(intake: Intake, raw: RawDocument) -> tuple[Project, set[str | int]]:
    """The document without the fields that have problems, and those fields."""
    document = validate(Project, raw.value, raw)
    if isinstance(document, Project):
        return document, set()
    intake.report(raw, document)
    wrong = {finding.path[0] for finding in document if finding.path}
    right = {key: value for key, value in raw.value.items() if key not in wrong}
    return Project.model_validate({**_LEAST, **right}), wrong


def _check_nothing_inserted(value: dict[str, Any]) -> Iterator[Finding]:
    for key, part in value.items():
        if names_in(part) and key != "description":
            yield Finding((key,), f"nothing is inserted into {PROJECT_FILE}", "write the value out")
