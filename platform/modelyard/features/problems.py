"""What keeps a project's feature sets from being compiled, by the files that define them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.problems import Problem
from modelyard.errors import InvalidData
from modelyard.features.compile import compile_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.project import LoadedProject


def compile_problems(project: LoadedProject) -> Iterator[Problem]:
    """The feature sets of a project whose SQL does what it may not, such as reading a file.

    Args:
        project: A project whose documents have no problems of their own.
    """
    for name, definition in sorted(project.feature_sets.items()):
        try:
            compile_set(definition)
        except InvalidData as error:
            hint = error.hint or f"change its SQL; modelyard features compile {name} shows what it comes to"
            yield Problem(project.origins["FeatureSet", name], 1, 1, "", error.reason, hint)
