"""What goes over the wire, as the OpenAPI document shows it. Bodies are read by `requests`, and written by `routes`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

KeyValue = str | int
Value = float | str | bool | None


class Message(BaseModel):
    """Something that goes over the wire."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ByFeatures(Message):
    """Rows to score, with their features."""

    features: list[dict[str, Value]] = Field(examples=[[{"in_30d": 1520.5, "txn_count_7d": 4, "os": None}]])
    """A value for every feature of the model, in each row; null where it is not known."""


class ByEntities(Message):
    """Entities to score, whose features are looked up in the newest published partitions."""

    entities: list[dict[str, KeyValue]] = Field(examples=[[{"borrower_id": "ke-0000017"}]])
    """The entity's columns, in each row."""


class Prediction(Message):
    """The prediction for one row."""

    prediction: float | str | None
    """The event's probability, the most probable class, or the number; null for an entity that was not found."""
    probabilities: dict[str, float] | None = None
    """In multiclass classification, the probability of each class."""
    entity: dict[str, KeyValue] | None = None
    """The entity, where rows were scored by entity."""
    found: bool | None = None
    """Whether any feature set has a row of the entity, where rows were scored by entity."""


class FeatureSetUsed(Message):
    """A feature set that a version pins, and how fresh the values in use are."""

    version: int
    as_of: datetime | None
    """The instant of the values; null where no partition is published that is young enough."""


class Scored(Message):
    """Predictions, in the order of the rows; all of them from one version."""

    model: str
    version: int
    feature_sets: dict[str, FeatureSetUsed] | None = None
    """Where the features come from, where rows were scored by entity."""
    predictions: list[Prediction]


class ServedModel(Message):
    """A model that is served."""

    model: str
    version: int
    """The version that answers."""
    task: str
    features: dict[str, Literal["number", "category", "boolean"]]
    """The features that a row has, with their kinds."""
    entity: list[str]
    """The columns by which entities are named; none where rows can only be scored by features."""
    classes: list[str]
    """The names of the classes, in multiclass classification."""


class ServedModels(Message):
    """The models that are served, by name."""

    models: list[ServedModel]


class Standing(Message):
    """How one model stands."""

    model: str
    live: int | None
    served: int | None
    problem: str = ""
    """Why the live version does not answer."""


class Readiness(Message):
    """Whether requests can be answered, and what is not as it should be."""

    ready: bool
    registry: str
    """Why the registry could not be asked last time; empty where it could."""
    models: list[Standing]
    """The models whose live version does not answer."""


class Started(Message):
    """Whether the service may be sent requests."""

    started: bool


class Fault(Message):
    """One thing that is wrong with a request."""

    at: str
    reason: str
    hint: str


class Problem(Message):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    errors: list[Fault] = []


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of answers that are problems."""
    return {status: {"model": Problem, "content": {"application/problem+json": {}}} for status in statuses}
