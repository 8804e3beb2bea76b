"""What a document means once everything it names is looked up: self-contained, and serialisable.

The registry holds definitions, not files, so that a scheduled task or a pod needs no checkout of the configs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import ValidationError, model_validator

from modelyard.canonical import canonical_json, digest
from modelyard.config.kinds.architecture import Step
from modelyard.config.kinds.base import Many, Settings, as_keys
from modelyard.config.kinds.feature_set import FeatureSet
from modelyard.config.kinds.model import Model, TableFeatures
from modelyard.config.kinds.source import Source
from modelyard.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

D = TypeVar("D", bound=Settings)

_DEPLOYMENT = ("owner", "timezone", "approval", "promotion", "resources", "scoring")


def _meaning_of(source: Source) -> dict[str, Any]:
    """What of a source decides values: not where it lies, who owns it, or how it is checked."""
    return source.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"path", "owner", "description", "expectations"}
    )


def readings(sources: Mapping[str, Source]) -> dict[str, Any]:
    """Where sources lie, and what is expected of their rows: no part of what values mean."""
    return {
        name: {"path": source.path, **source.model_dump(mode="json", include={"expectations"}, exclude_defaults=True)}
        for name, source in sorted(sources.items())
    }


def as_read(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Sources without owner and description: equal where they give the same rows under the same checks."""
    return {name: source.model_copy(update={"owner": None, "description": ""}) for name, source in sources.items()}


def _moved(sources: Mapping[str, Source], newest: Mapping[str, Source]) -> dict[str, Source]:
    """Sources, each as the newest says it where that means the same: lying elsewhere, or checked otherwise."""
    return {
        name: other if (other := newest.get(name)) and _meaning_of(other) == _meaning_of(source) else source
        for name, source in sources.items()
    }


class FeatureSetDefinition(Settings):
    """A feature set with its query's text, its sources and the feature sets it refers to."""

    document: FeatureSet
    """The document, with owner and timezone filled in."""
    query: str | None = None
    """The text of the query's template."""
    sources: dict[str, Source]
    """The sources that it reads, by name."""
    refs: dict[str, FeatureSetDefinition] = {}
    """The feature sets that its query refers to, by name."""

    @property
    def name(self) -> str:
        """The feature set's name."""
        return self.document.name

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that say whose features these are."""
        return as_keys(self.document.entity)

    @property
    def timezone(self) -> str:
        """The timezone whose midnights its instants are counted from."""
        return self.document.timezone or "UTC"

    @property
    def digest(self) -> str:
        """The identity of a version: equal wherever the values must be equal."""
        document = self.document.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"owner", "description", "expectations", "query"}
        )
        sources = {name: _meaning_of(source) for name, source in self.sources.items()}
        refs = {name: ref.digest for name, ref in self.refs.items()}
        return digest({"document": document, "query": self.query, "sources": sources, "refs": refs})

    @property
    def reading(self) -> dict[str, Any]:
        """What of the definition says which rows are read, and how they and its values are checked: not in `digest`."""
        expectations = self.document.model_dump(mode="json", include={"expectations"}, exclude_defaults=True)
        return {**expectations, "sources": readings(self.sources)}

    def all_sources(self) -> Iterator[Source]:
        """The sources that it reads, and those of the feature sets that it refers to."""
        yield from self.sources.values()
        for ref in self.refs.values():
            yield from ref.all_sources()

    def located_as(self, newest: FeatureSetDefinition) -> FeatureSetDefinition:
        """This definition, its sources read from where another version of it reads them.

        A source is another one's where it means the same: its path, owner, description and expectations may differ.
        """
        return self.model_copy(update={"sources": _moved(self.sources, newest.sources)})


class ModelDefinition(Settings):
    """A model with its pipeline resolved, its sources and its feature sets."""

    document: Model
    """The document: expanded, with owner and timezone filled in."""
    pipeline: Many[Step]
    """The architecture's pipeline with the parameters put in, or the model's own."""
    sources: dict[str, Source]
    """The sources of its labels, plain tables and population, by name."""
    feature_sets: dict[str, FeatureSetDefinition] = {}
    """The feature sets that it uses, by name."""
    bundles: dict[str, str] = {}
    """The digests of the project's own modules that its pipeline names, by module."""

    @model_validator(mode="after")
    def _is_self_contained(self) -> Self:
        scoring = self.document.scoring
        sources = self._training_sources() | ({scoring.population.source} if scoring else set())
        sets = {name for name in self.document.data.features if isinstance(name, str)}
        for missing in sorted((sources - self.sources.keys()) | (sets - self.feature_sets.keys())):
            msg = f"`{missing}` is named in the document, and is not there"
            raise ValueError(msg)
        return self

    @property
    def name(self) -> str:
        """The model's name."""
        return self.document.name

    @property
    def owner(self) -> str:
        """The team that owns the model."""
        return self.document.owner or "unowned"

    @property
    def timezone(self) -> str:
        """The timezone of the model's midnights and schedule."""
        return self.document.timezone or "UTC"

    @property
    def needs_approval(self) -> bool:
        """Whether a version has to be approved before it can be live."""
        return self.document.approval == "required"

    @property
    def training(self) -> dict[str, Any]:
        """What of the definition decides the trained version: a change here is a new run."""
        document = self.document.content()
        sections: dict[str, Any] = {
            key: document[key] for key in ("task", "data", "seed", "evaluation") if key in document
        }
        pipeline = [step.content() for step in self.pipeline]
        sources = {name: _meaning_of(self.sources[name]) for name in sorted(self._training_sources())}
        return {**sections, "pipeline": pipeline, "sources": sources, "bundles": self.bundles}

    @property
    def deployment(self) -> dict[str, Any]:
        """What of the definition decides how versions are run: a change here is a new revision, and no run."""
        document = self.document.content()
        sections: dict[str, Any] = {key: document[key] for key in _DEPLOYMENT if key in document}
        return {**sections, "sources": readings(self.sources)}

    @property
    def prose(self) -> dict[str, Any]:
        """What of the definition only people read."""
        return {"description": self.document.description}

    def scored_as(self, current: ModelDefinition) -> dict[str, Source]:
        """The sources that a version of this definition scores with, as the model is run by another one.

        Those that it was trained on are read from where the other reads them if they mean the same there; else they
        stay as they were, since it knows no other values. The rest, which say whom to score, are the other's.
        """
        trained = {name: self.sources[name] for name in self._training_sources()}
        return {**self.sources, **current.sources, **_moved(trained, current.sources)}

    def trained_on(self) -> Iterator[Source]:
        """The sources that its training set is made of."""
        yield from (self.sources[name] for name in sorted(self._training_sources()))
        for feature_set in self.feature_sets.values():
            yield from feature_set.all_sources()

    def _training_sources(self) -> set[str]:
        tables = {features.source for features in self.document.data.features if isinstance(features, TableFeatures)}
        return tables | {self.document.data.labels.source}


def kept_definition(kind: type[D], content: Mapping[str, Any], place: str) -> D:
    """A definition as a record keeps it.

    Args:
        kind: `ModelDefinition` or `FeatureSetDefinition`.
        content: What the record holds.
        place: Which record it is, for the message.

    Raises:
        IntegrityError: It holds no definition, or one that another version of Modelyard wrote and this one can't read.
    """
    try:
        return kind.model_validate_json(canonical_json(content))
    except ValidationError as error:
        reason = f"{place} holds no definition that this version of Modelyard reads: {error}"
        raise IntegrityError(reason) from error
