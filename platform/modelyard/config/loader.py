"""A folder of documents to a project: read, checked, expanded and resolved, with every problem in one error.

Data flows through in one direction: files (`intake`), documents (`entries`), what they name (`checks`,
`feature_resolution`, `model_resolution`). A step goes on after a problem, so that one run finds them all; definitions
are made at the end, of a project without a problem.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from modelyard.config.checks.catalogue import Catalogue
from modelyard.config.checks.feature_sets import check_feature_set
from modelyard.config.checks.pipelines import check_architecture, check_pipeline
from modelyard.config.checks.sources import check_available, check_source
from modelyard.config.discovery import find_project, find_projects
from modelyard.config.entries import EntryReader
from modelyard.config.feature_resolution import FeatureSets
from modelyard.config.intake import take_in
from modelyard.config.kinds import Architecture, FeatureSet, Model, Source
from modelyard.config.model_resolution import Models
from modelyard.config.problems import ConfigErrors
from modelyard.config.project import LoadedProject
from modelyard.config.project_reader import read_project
from modelyard.config.substitution import names_in
from modelyard.config.variables import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from modelyard.config.entries import Entry
    from modelyard.config.intake import Intake
    from modelyard.config.project_reader import ProjectFacts

__all__ = ["find_project", "find_projects", "load_project"]


READING = 0.4  # of the time that loading takes


def _say_nothing(_: float) -> None:
    pass


def load_project(
    root: Path,
    environment: str = DEFAULT,
    variables: Mapping[str, str] = os.environ,
    tell: Callable[[float], None] = _say_nothing,
) -> LoadedProject:
    """A project, without a problem in it.

    A variable whose environment variable is not set is no problem here: see `substitution.refuse_unset`.

    Args:
        root: The folder that holds `modelyard.yaml`.
        environment: The environment whose values the project's variables have.
        variables: The environment variables of this process.
        tell: Is told how much is done so far, from 0 to 1.

    Raises:
        ConfigErrors: There are problems; it holds all of them.
    """
    intake = take_in(root.absolute(), lambda done: tell(READING * done))
    facts = read_project(intake, environment, variables)
    loading = _Loading(intake, facts)
    loading.check(lambda done: tell(READING + (1 - READING) * done))
    if intake.problems:
        raise ConfigErrors(intake.problems)
    return loading.project(environment)


class _Loading:
    """The documents of a project, each kind read before those that may name it."""

    def __init__(self, intake: Intake, facts: ProjectFacts) -> None:
        self.intake = intake
        self.facts = facts
        reader = EntryReader(intake, facts.names, facts.document.defaults.model_dump())
        self.source_entries = reader.read(Source, "Source")
        self.set_entries = reader.read(FeatureSet, "FeatureSet")
        self.architecture_entries = reader.read(Architecture, "Architecture")
        self.model_entries = reader.read(Model, "Model")
        self.sources = {name: entry.document for name, entry in self.source_entries.items()}
        self.feature_sets = FeatureSets(intake, self.set_entries, self.sources)
        self.catalogue = Catalogue(
            sources=self.sources,
            feature_sets=self.feature_sets.known(),
            architectures={name: entry.document for name, entry in self.architecture_entries.items()},
            modules=facts.modules,
            broken=intake.broken,
        )
        self.models = Models(self.architecture_entries, self.catalogue, facts.bundles or {})

    def check(self, tell: Callable[[float], None]) -> None:
        """Report everything that is wrong within and between the documents.

        Args:
            tell: Is told how much is checked so far, from 0 to 1.
        """
        report = self.intake.report
        for source in self.source_entries.values():
            report(source.raw, check_source(source.document))
        self.feature_sets.check_references()
        for name, known in self.catalogue.feature_sets.items():
            report(self.set_entries[name].raw, check_feature_set(known, self.catalogue))
        for architecture in self.architecture_entries.values():
            raw, document = architecture.raw, architecture.document
            report(raw, check_architecture(document, names_in(raw.value["pipeline"]), self.facts.modules))
            report(raw, check_pipeline(document.pipeline, self.facts.modules, ("pipeline",)))
        for index, model in enumerate(self.model_entries.values()):
            tell(index / len(self.model_entries))
            report(model.raw, self.models.check(model.document))

    def project(self, environment: str) -> LoadedProject:
        """The project; only after `check` found nothing."""
        entries: dict[str, Mapping[str, Entry[Any]]] = {
            "Source": self.source_entries,
            "FeatureSet": self.set_entries,
            "Architecture": self.architecture_entries,
            "Model": self.model_entries,
        }
        return LoadedProject(
            root=self.intake.root,
            environment=environment,
            document=self.facts.document,
            sources=self.sources,
            feature_sets={name: self.feature_sets.definition(name) for name in self.set_entries},
            architectures=self.catalogue.architectures,
            models={
                name: self.models.definition(entry.document, self.feature_sets)
                for name, entry in self.model_entries.items()
            },
            origins={(kind, name): entry.raw.file for kind, named in entries.items() for name, entry in named.items()},
            warnings=tuple(
                warning
                for name in sorted({known.document.source or "" for known in self.catalogue.feature_sets.values()})
                if name in self.source_entries
                for warning in self.source_entries[name].raw.problems(check_available(self.sources[name]))
            ),
        )
