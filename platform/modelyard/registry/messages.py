"""What a client of the registry's API sends and hears, beside the records. Client and service share these."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, Field

from modelyard.registry.records import Record, Run


class ApplyModel(Record):
    """A model's definition, to be applied."""

    definition: dict[str, Any]
    """The content of a ModelDefinition."""
    project: str
    """The project that the model belongs to."""
    expected_revision: int = Field(ge=0)
    """The revision that the model has; 0 where it is new."""
    run: Run | None = None
    """A run to queue with it."""


class RegisterFeatureSet(Record):
    """A feature set's definition, to be registered."""

    definition: dict[str, Any]
    """The content of a FeatureSetDefinition."""
    project: str
    """The project that the feature set belongs to."""
    lineage: dict[str, tuple[str, ...]]
    """For each feature, the source columns that it comes from, as `source.column`."""


class Archive(Record):
    """A request to take something out of use."""

    reason: str = ""
    """Why, for the history."""


class Approve(Record):
    """A request to let a version be made live."""

    reason: str = ""
    """What was looked at, for the history."""


class Promote(Record):
    """A request to make a version live."""

    version: int
    """The version's number."""
    live_from: AwareDatetime | None = None
    """From when on; the next midnight in the model's timezone unless said."""
    reason: str = ""
    """Why, for the history."""
    key: str | None = None
    """The idempotency key: asking again with it gets the same answer."""


class Rollback(Record):
    """A request to make an earlier version live now."""

    to: int | None = None
    """The version's number; the one that was live before unless said."""
    reason: str = ""
    """Why, for the history."""
    key: str | None = None
    """The idempotency key: asking again with it gets the same answer."""


class Trainer(Record):
    """Where a cluster's runs train."""

    image: str
    """The image of their pods; it stands for the code and the libraries in it, and so for what a run is asked for."""


class Problem(Record):
    """What went wrong, in the form of RFC 9457 (`application/problem+json`)."""

    type: str
    """What kind of problem it is: `urn:modelyard:problem:NAME`."""
    title: str
    """The kind in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was wrong, naming the place."""
    hint: str = ""
    """What to do about it."""
