"""What a healthy installation has, as checks that say what to do where it does not.

One more check is one more function in `CHECKS`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from modelyard.config.kinds.project import FromEnvironment
from modelyard.errors import ModelyardError
from modelyard.extras import EXTRAS
from modelyard.near_miss import near_miss
from modelyard.settings import VARIABLES

if TYPE_CHECKING:
    from modelyard.workspace import Workspace

LEAST_FREE_BYTES = 1 << 30  # a training set, its model and the spill of a large sort fit in this on a laptop


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Diagnosis:
    """What a check found."""

    check: str
    health: Health
    detail: str
    hint: str = ""


Check = Callable[["Workspace"], Iterator[Diagnosis]]


def examine(workspace: Workspace) -> list[Diagnosis]:
    """Run every check; an error in one is its diagnosis, and the others still run.

    Args:
        workspace: The workspace to look at.
    """
    diagnoses: list[Diagnosis] = []
    for check in CHECKS:
        try:
            diagnoses.extend(check(workspace))
        except ModelyardError as error:
            diagnoses.append(Diagnosis(check.__name__.strip("_"), Health.FAILED, error.reason, error.hint))
    return diagnoses


def _python(workspace: Workspace) -> Iterator[Diagnosis]:  # noqa: ARG001 - every check takes the workspace
    version = ".".join(str(part) for part in sys.version_info[:3])
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Diagnosis(
        "python",
        Health.OK if supported else Health.FAILED,
        version,
        "" if supported else "use Python 3.11, 3.12 or 3.13",
    )


def _extras(workspace: Workspace) -> Iterator[Diagnosis]:
    wanted = {module.split("/")[-1] for module in workspace.project.document.modules}
    for extra, (module, *_) in EXTRAS.items():
        if not importlib.util.find_spec(module):
            hint = f"pip install 'modelyard[{extra}]'"
            health = Health.FAILED if extra in wanted else Health.WARNING
            yield Diagnosis("extras", health, f"{extra} is not installed", hint)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a library's own imports: nobody here can mend them
                importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - a library that can't load its native part raises anything
            # On macOS a missing OpenMP shows only when a booster is imported.
            yield Diagnosis("extras", Health.FAILED, f"{extra} does not load: {error}", "on macOS: brew install libomp")
        else:
            yield Diagnosis("extras", Health.OK, extra)


def _variables(workspace: Workspace) -> Iterator[Diagnosis]:
    known = {*VARIABLES, *_variables_of(workspace.project.document.vars.values())}
    for name in sorted(os.environ):
        if name.startswith("MODELYARD_") and name not in known:
            hint = near_miss(name, known, otherwise="")
            yield Diagnosis("variables", Health.WARNING, f"{name} is no setting of Modelyard or the project", hint)


def _variables_of(values: Iterable[object]) -> Iterator[str]:
    """The environment variables that a project's own variables are read from."""
    for value in values:
        if isinstance(value, FromEnvironment):
            yield value.env
        elif isinstance(value, dict):
            yield from _variables_of(value.values())


def _project(workspace: Workspace) -> Iterator[Diagnosis]:
    project = workspace.project
    counts = f"{len(project.models)} models, {len(project.feature_sets)} feature sets, {len(project.sources)} sources"
    yield Diagnosis("project", Health.OK, f"{project.name}: {counts}")


def _state(workspace: Workspace) -> Iterator[Diagnosis]:
    home = workspace.settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        yield Diagnosis("state", Health.FAILED, f"{home} can't be written: {error.strerror}", "set MODELYARD_HOME")
        return
    gibibytes = f"{free / (1 << 30):.1f} GiB free in {home}"
    yield Diagnosis("state", Health.OK if free >= LEAST_FREE_BYTES else Health.WARNING, gibibytes)


def _registry(workspace: Workspace) -> Iterator[Diagnosis]:
    models = workspace.registry.models(limit=1)
    yield Diagnosis("registry", Health.OK, f"{workspace.settings.registry}: {'in use' if models.items else 'empty'}")


CHECKS: tuple[Check, ...] = (_python, _project, _extras, _variables, _state, _registry)
