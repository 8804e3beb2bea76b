"""A project as loaded: every document read, checked, expanded and resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
