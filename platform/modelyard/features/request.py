"""What a training set is asked to hold; equal requests share one dataset."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from modelyard.canonical import digest
from modelyard.config.definitions import ModelDefinition
from modelyard.registry.records import FeatureSetPin


class TrainingSetRequest(BaseModel):
    """Which rows with which features, known when."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    definition: ModelDefinition
    """The model, as applied."""
    as_of: datetime
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
            "paths": {name: source.path for name, source in self.definition.sources.items()},
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
