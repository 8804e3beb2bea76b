"""A project as loaded: every document read, checked, expanded and resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
    from modelyard.config.kinds import Architecture, Project, Source
    from modelyard.config.problems import Problem


@dataclass(frozen=True)
class LoadedProject:
    """A folder of documents without a problem in them."""

    root: Path
    """The folder that holds `modelyard.yaml`; relative paths in documents start here."""
    environment: str
    """The environment whose values the variables have."""
    document: Project
    sources: Mapping[str, Source]
    feature_sets: Mapping[str, FeatureSetDefinition]
    architectures: Mapping[str, Architecture]
    models: Mapping[str, ModelDefinition]
    origins: Mapping[tuple[str, str], Path]
    """The file of each document, by kind and name; models of one `for_each` share theirs."""
    warnings: tuple[Problem, ...] = ()
    """What is no problem, and should be known."""

    @property
    def name(self) -> str:
        """The project's name."""
        return self.document.name

    def narrowed_to(self, path: Path | None) -> frozenset[tuple[str, str]] | None:
        """The models and feature sets that a path narrows the project to; None where it is the whole project.

        Those whose documents lie there, and those that use a source or an architecture that lies there.

        Args:
            path: A folder or a file; the project's folder is the whole project, as is none.

        Raises:
            NotFound: No document lies there.
        """
        here = path.resolve() if path else self.root.resolve()
        if self.root.resolve().is_relative_to(here):
            return None
        below = {key for key, file in self.origins.items() if file.resolve().is_relative_to(here)}
        if not below:
            reason = f"no document of the project `{self.name}` lies in `{path}`"
            raise NotFound(reason)
        models = {("Model", name) for name, model in self.models.items() if self._uses(model, below)}
        sets = {
            ("FeatureSet", name)
            for name, feature_set in self.feature_sets.items()
            if any(("Source", source) in below for source in feature_set.sources)
        }
        return frozenset({key for key in below if key[0] in ("Model", "FeatureSet")} | models | sets)

    def _uses(self, model: ModelDefinition, below: set[tuple[str, str]]) -> bool:
        named = {("Source", source) for source in model.sources} | {("Architecture", model.document.architecture or "")}
        return not named.isdisjoint(below)
