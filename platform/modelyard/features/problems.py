"""What keeps a project's SQL from being run, by the files that hold it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.config.problems import Problem
from modelyard.errors import InvalidData
from modelyard.features.compile import compile_set
from modelyard.features.functions import CHANGES_EACH_TIME
from modelyard.features.sql import check_scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from modelyard.config.kinds import Model
    from modelyard.config.project import LoadedProject


def compile_problems(project: LoadedProject) -> Iterator[Problem]:
    """The feature sets and models of a project whose SQL does what it may not, such as reading a file.

    Args:
        project: A project whose documents have no problems of their own.
    """
    for name, definition in sorted(project.feature_sets.items()):
        try:
            compile_set(definition)
        except InvalidData as error:
            hint = error.hint or f"change its SQL; modelyard features compile {name} shows what it comes to"
            yield Problem(project.origins["FeatureSet", name], 1, 1, "", error.reason, hint)
    yield from _condition_problems(project)


_VALUE = r"(?:[^\W\d]\w*|-?\d+(?:\.\d+)?|'[^']*')"
_COMPARISON = (
    rf"(?:not\s+)?{_VALUE}"
    rf"(?:\s*(?:=|<>|!=|<=?|>=?)\s*{_VALUE}|\s+(?:not\s+)?in\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*\s*\))?"
)
_COMPARISONS = re.compile(rf"\s*{_COMPARISON}(?:\s+(?:and|or)\s+{_COMPARISON})*\s*", re.IGNORECASE)
_WORDS = re.compile(r"'[^']*'|[^\W\d]\w*")
_KEYWORDS = frozenset({"and", "false", "in", "not", "or", "true"})


def _only_compares(where: str, columns: Collection[str]) -> bool:
    """Whether a condition compares columns with values and does nothing else.

    Most do, and to read them once more, after the config's checks, would take as long as these.
    """
    named = {word.lower() for word in _WORDS.findall(where) if word[0] != "'" and word not in columns}
    return (
        named <= _KEYWORDS
        and CHANGES_EACH_TIME.isdisjoint(column.lower() for column in columns)
        and bool(_COMPARISONS.fullmatch(where))
    )


def _condition_problems(project: LoadedProject) -> Iterator[Problem]:
    """Models' conditions; one that many models of a document share is checked once."""
    seen = set()
    for name, definition in sorted(project.models.items()):
        file = project.origins["Model", name]
        for field, source, where in _conditions(definition.document):
            if (file, field, source, where) in seen:
                continue
            seen.add((file, field, source, where))
            columns = definition.sources[source].columns
            if _only_compares(where, columns):
                continue
            try:
                check_scalar(where, columns, f"model `{name}`")
            except InvalidData as error:
                hint = error.hint or "one condition on the source's columns, as \"market = 'ke'\""
                yield Problem(file, 1, 1, field, error.reason, hint)


def _conditions(model: Model) -> Iterator[tuple[str, str, str]]:
    """The field, the source and the SQL of each condition of a model."""
    labels = model.data.labels
    if labels.where is not None:
        yield "data.labels.where", labels.source, labels.where
    population = model.scoring.population if model.scoring else None
    if population is not None and population.where is not None:
        yield "scoring.population.where", population.source, population.where
