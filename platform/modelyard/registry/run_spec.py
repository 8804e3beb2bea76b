"""What a run is asked to make, as a run's record holds it: the same words for a local process and for a pod."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from modelyard.canonical import digest
from modelyard.config.definitions import ModelDefinition, readings
from modelyard.config.kinds.model import Resources
from modelyard.errors import InvalidData
from modelyard.registry.records import FeatureSetPin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.records import Run


class TrainingSetRequest(BaseModel):
    """Which rows with which features, known when; equal requests share one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    definition: ModelDefinition
    """The model, as applied."""
    as_of: AwareDatetime
    """The instant of knowledge: nothing that became known later goes in."""
    to: date
    """The day before which labels end, in the model's timezone."""
    feature_sets: tuple[FeatureSetPin, ...] = ()
    """The versions of the feature sets that its values come from."""
    sample: float | None = None
    """The part of the label rows that is used, in local trials."""

    @property
    def training_set(self) -> str:
        """The digest of the request."""
        document = self.definition.document
        data = document.data.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"split"})
        # How rows are split is no part of it, but for the column that says which of them belong together.
        groups = {part.group for part in (document.data.split, document.evaluation.cross_validation) if part}
        return digest({
            "data": data,
            "task": document.task,
            "timezone": self.definition.timezone,
            "sources": self.definition.training["sources"],
            # Where rows are read, and what must hold of them for it to be published: others ask for what they expect.
            "readings": readings(self.definition.sources),
            "feature_sets": [pin.model_dump(mode="json") for pin in self.feature_sets],
            "as_of": self.as_of.isoformat(),
            "to": self.to.isoformat(),
            "sample": self.sample,
            "groups": sorted(group for group in groups if group),
        })  # fmt: skip

    def content(self) -> dict[str, Any]:
        """The request as plain JSON values."""
        return {
            **self.model_dump(mode="json", exclude={"definition"}, exclude_none=True),
            "definition": self.definition.content(),
        }


class RunSpec(TrainingSetRequest):
    """Everything that decides what a run makes; two specs with one digest ask for the same version."""

    code: str
    """The digest of Modelyard's code and the project's bundles, where it is to train."""
    environment: str
    """The digest of what is installed there."""

    @property
    def config(self) -> str:
        """The digest of the definition's training part."""
        return digest(self.definition.training)

    @property
    def request(self) -> str:
        """The digest of all that decides the outcome."""
        return digest({
            "model": self.definition.name,
            "config": self.config,
            "training_set": self.training_set,
            "code": self.code,
            "environment": self.environment,
        })  # fmt: skip

    def run_id(self, attempt: int) -> str:
        """The run's name: fit for a Kubernetes Job, at most 63 characters."""
        return f"{_run_prefix(self.definition.name)}-{self.request[:12]}-{attempt}"


def _run_prefix(model: str) -> str:
    return model.replace("_", "-")[:40]


def is_run_id(text: str, model: str) -> bool:
    """Whether a text has the form of the ids of a model's runs, those that nobody has queued yet included."""
    return re.fullmatch(rf"{_run_prefix(model)}-[0-9a-f]{{12}}-[0-9]+", text) is not None


def read_run_spec(run: Run) -> RunSpec:
    """What a run is asked to make.

    Raises:
        InvalidData: Another version of Modelyard wrote it, and this one can't read it.
    """
    try:
        return RunSpec.model_validate(run.spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"the specification of run `{run.id}` can't be read: {place}: {first['msg']}"
        raise InvalidData(msg, "another version of Modelyard queued it; train the model again") from error


# Single facts, read off specifications that nobody validates: there may be thousands of them, and among those that came
# from elsewhere one that can't be read must not stand in the way of the others.


def bundles_of(spec: Mapping[str, Any]) -> frozenset[str]:
    """The digests of the project's modules that a run needs."""
    bundles = _part(spec, "definition", "bundles")
    return frozenset(digest for digest in bundles.values() if isinstance(digest, str))


def cores_of(spec: Mapping[str, Any]) -> float:
    """The cores that a run asks for."""
    cores = _part(spec, "definition", "document", "resources").get("cpu")
    return float(cores) if isinstance(cores, int | float) else Resources().cpu


def _part(content: object, *names: str) -> Mapping[str, Any]:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}
