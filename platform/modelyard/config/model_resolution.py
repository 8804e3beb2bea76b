"""Models: their architectures' pipelines with parameters put in, and definitions made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from modelyard.canonical import canonical_json
from modelyard.config.bundles import bundle_digest, read_bundle
from modelyard.config.checks.models import check_model
from modelyard.config.checks.pipelines import check_pipeline, modules_used
from modelyard.config.definitions import ModelDefinition
from modelyard.config.kinds.architecture import Step
from modelyard.config.kinds.base import Many
from modelyard.config.kinds.model import TableFeatures
from modelyard.config.problems import Finding
from modelyard.config.substitution import substitute
from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.config.checks.catalogue import Catalogue
    from modelyard.config.entries import Entry
    from modelyard.config.feature_resolution import FeatureSets
    from modelyard.config.kinds import Architecture, Model

Pipeline = tuple[Step, ...]

_PIPELINE: TypeAdapter[Pipeline] = TypeAdapter(Many[Step])


def read_bundles(root: Path, modules: Sequence[str]) -> tuple[dict[str, str], list[Finding]]:
    """The digests of the project's own modules, and what is wrong with those that cannot be read.

    Args:
        root: The project's folder.
        modules: The modules as `modelyard.yaml` names them; installed ones are left out.
    """
    digests: dict[str, str] = {}
    findings: list[Finding] = []
    for index, module in enumerate(modules):
        if not module.startswith("./"):
            continue
        try:
            digests[module] = bundle_digest(read_bundle(root, module))
        except (InvalidData, NotFound) as error:
            findings.append(Finding(("modules", index), error.reason, error.hint))
    return digests, findings


class Models:
    """The models of a project.

    Args:
        architectures: The architectures' documents, by name.
        catalogue: The documents that models may name.
        bundles: The digests of the project's own modules.
    """

    def __init__(
        self, architectures: Mapping[str, Entry[Architecture]], catalogue: Catalogue, bundles: Mapping[str, str]
    ) -> None:
        self._architectures = architectures
        self._catalogue = catalogue
        self._bundles = bundles
        self._pipelines: dict[tuple[str, bytes], Pipeline] = {}

    def check(self, model: Model) -> Iterator[Finding]:
        """Everything that is wrong within a model, and with what it names.

        Args:
            model: The model: expanded, everything inserted.
        """
        yield from check_model(model, self._catalogue)
        if model.with_ and model.architecture in self._architectures:
            for finding in check_pipeline(self.pipeline(model), self._catalogue.modules):
                yield Finding(("with",), finding.reason, finding.hint)  # the architecture without it is checked there

    def pipeline(self, model: Model) -> Pipeline:
        """A model's pipeline: its own, or its architecture's with the parameters put in."""
        if model.architecture is None:
            return model.pipeline
        key = (model.architecture, canonical_json(model.with_))
        if key not in self._pipelines:
            entry = self._architectures[model.architecture]
            names: dict[str, Any] = {**entry.names, **entry.document.parameters, **model.with_}
            self._pipelines[key] = _PIPELINE.validate_python(substitute(entry.raw.value["pipeline"], names))
        return self._pipelines[key]

    def definition(self, model: Model, feature_sets: FeatureSets) -> ModelDefinition:
        """A model with all that it names; only for a project without a problem.

        Args:
            model: The model: expanded, everything inserted.
            feature_sets: The project's feature sets.
        """
        pipeline, features = self.pipeline(model), model.data.features
        tables = [entry.source for entry in features if isinstance(entry, TableFeatures)]
        population = [model.scoring.population.source] if model.scoring else []
        return ModelDefinition(
            document=model,
            pipeline=pipeline,
            sources={
                name: self._catalogue.sources[name] for name in sorted({model.data.labels.source, *tables, *population})
            },
            feature_sets={name: feature_sets.definition(name) for name in features if isinstance(name, str)},
            bundles={module: self._bundles[module] for module in modules_used(pipeline, list(self._bundles))},
        )
