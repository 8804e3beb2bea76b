"""The variables of `modelyard.yaml`: which value each of them has in an environment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.config.kinds.project import FromEnvironment
from modelyard.config.problems import Finding
from modelyard.config.substitution import unset_marker
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.config.kinds import Project

DEFAULT = "default"


class Variables(NamedTuple):
    """What the variables of a project come to."""

    values: dict[str, Any]
    """The value of each; a stand-in where a finding says that there is none."""
    findings: list[Finding]


def read_variables(project: Project, environment: str, process: Mapping[str, str]) -> Variables:
    """The values of a project's variables.

    A value from an environment variable has the type of its default: text, where there is none. One that is not set
    (or empty, as shells leave it) and has no default is inserted as a marker, see `substitution`.

    Args:
        project: The project's document.
        environment: The environment's name; `default` stands in where a variable does not name it.
        process: The environment variables of this process.
    """
    read = Variables({}, [])
    for name, declared in project.vars.items():
        chosen = declared.get(environment, declared.get(DEFAULT)) if isinstance(declared, dict) else declared
        if chosen is None:
            known = near_miss(environment, declared if isinstance(declared, dict) else ())
            reason = f"there is no value for the environment `{environment}`"
            read.findings.append(Finding(("vars", name), reason, known))
        try:
            read.values[name] = _value(chosen, process) if isinstance(chosen, FromEnvironment) else chosen
        except ValueError as error:
            read.findings.append(Finding(("vars", name), str(error), "give it the type of its default"))
            read.values[name] = ""
    return read


def _value(variable: FromEnvironment, process: Mapping[str, str]) -> Any:
    text, default = process.get(variable.env), variable.default
    if not text:
        return unset_marker(variable.env) if default is None else default
    if isinstance(default, str | None):
        return text
    try:
        value = {"true": True, "false": False}[text] if isinstance(default, bool) else type(default)(text)
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        due = "true or false" if isinstance(default, bool) else "a number"
        msg = f"the environment variable {variable.env} holds `{text}`, and its default is {due}"
        raise ValueError(msg)
    return value
