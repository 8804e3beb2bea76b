"""What the registry holds: frozen records, each with the version of its own layout.

Records are small; what may be large (configs, logs, predictions) lies in the artifact store.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Record(BaseModel):
    """Something that the registry holds. Instants are UTC and carry their timezone."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        ser_json_inf_nan="constants",  # null would hide a NaN from whoever checks what it gets
    )


class Page(Record, Generic[T]):
    """Some records, and where to go on."""

    items: tuple[T, ...]
    """The records, in the order of the access pattern."""
    next: str | None = None
    """An opaque token for the next page; None after the last."""


class VersionState(StrEnum):
    """Where a version stands."""

    PENDING = "PENDING"
    """Claimed; its bytes are on their way. Nobody sees it but its creator."""
    READY = "READY"
    """Its bytes exist and match."""
    ARCHIVED = "ARCHIVED"
    """Out of use; its bytes stay until retention ends."""
    DELETED = "DELETED"
    """Its bytes are gone; the record stays for the history."""


class FeatureSetPin(Record):
    """The version of a feature set that a model version was trained with."""

    name: str
    version: int
    digest: str


class Pins(Record):
    """What a version is made of, by digest."""

    config: str
    """The training part of the model's definition."""
    code: str
    """Modelyard's own code, and the project's bundles."""
    environment: str
    """The installed distributions."""
    training_set: str
    """The training set's content."""
    feature_sets: tuple[FeatureSetPin, ...] = ()
    """The feature sets, with their versions."""


class Artifact(Record):
    """A file of a version."""

    path: str
    """Its path within the version, such as `model.skops`; segments of letters, digits, dot, hyphen, underscore."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal characters."""
    media_type: str = "application/octet-stream"


class Estimate(Record):
    """A metric's value with its bootstrap interval (95 %)."""

    value: float
    low: float | None = None
    high: float | None = None


class VersionClaim(Record):
    """What a creator says of a version before its bytes are there."""

    model: str
    key: str
    """The idempotency key: the same key is the same version, whatever happened to the reply."""
    run: str | None = None
    """The run that made it."""
    request: str
    """The digest that identifies what was asked for."""
    attempt: int = 1
    """The try at the same request."""
    pins: Pins
    metrics: dict[str, Estimate] = {}
    """The metrics that its evaluation reported, the shown one first."""
    artifacts: tuple[Artifact, ...]


class ModelVersion(VersionClaim):
    """One immutable version of a model."""

    team: str
    number: int
    """From the model's counter; larger is newer; gaps may be."""
    state: VersionState
    location: str
    """Where the artifact store keeps its files; chosen by the server."""
    created_at: datetime
    created_by: str
    ready_at: datetime | None = None
    archived_at: datetime | None = None
    authors: tuple[str, ...] = ()
    """Who applied the definition it was made from, and who asked for its run; with `created_by` those who can't approve
    it."""
    needs_approval: bool = False
    """Whether its model asked for approval when it was made; what the model asks for later does not take that back."""
    approved_by: str | None = None
    approved_at: datetime | None = None


class UploadPart(Record):
    """Where a piece of a large file goes."""

    number: int
    """From 1: the file's bytes from (number - 1) × `part_size` on, `part_size` of them, or what is left."""
    url: str


class UploadTarget(Record):
    """Where the bytes of one artifact go; chosen by the server."""

    path: str
    url: str = ""
    """`file:` for a store on this machine, `http:` or `https:` otherwise; empty where the file goes in pieces."""
    headers: dict[str, str] = Field(default={}, repr=False)
    """To be sent with a PUT; they may hold secrets."""
    part_size: int = 0
    """Bytes of a piece, where the file goes in pieces."""
    parts: tuple[UploadPart, ...] = ()
    """The pieces that are missing, each for a PUT of its own. What has arrived before is left out."""


class Claim(Record):
    """The answer to a claim."""

    version: ModelVersion
    targets: tuple[UploadTarget, ...]
    """What is missing: empty where the version is READY already, and files that have arrived may be left out."""


class Download(Record):
    """An artifact, and where its bytes can be read."""

    artifact: Artifact
    url: str = ""
    """Reads the artifact for some minutes, without credentials; empty where the registry itself hands out its bytes."""


class PromotionKind(StrEnum):
    """Why the live version changes."""

    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    ARCHIVE = "ARCHIVE"
    """The model is archived: nothing is live from then on."""


class Promotion(Record):
    """A fact: from `live_from` on, `version` is live, until a later fact says otherwise."""

    model: str
    sequence: int
    """The order in which facts were recorded, from 1."""
    kind: PromotionKind
    version: int | None
    """None where nothing is live from then on."""
    live_from: datetime
    recorded_at: datetime
    recorded_by: str
    reason: str = ""
    superseded_by: int | None = None
    """The sequence of a later fact that took effect before or with this one's live_from, so that this one never did."""


class Approval(Record):
    """The answer to an approval."""

    version: ModelVersion
    promotion: Promotion | None = None
    """What made it live, where its model promotes by itself."""
    remark: str = ""
    """Why it is not promoted all the same, in words."""


class ModelRecord(Record):
    """A model: its definition as applied, and pointers to its newest and last promoted versions."""

    name: str
    project: str
    team: str
    timezone: str
    revision: int
    """From 1; every applied change makes the next."""
    definition: dict[str, Any]
    """The content of the ModelDefinition that was applied last."""
    config: str
    """The digest of the definition's training part."""
    latest: int | None = None
    """The greatest READY version."""
    promotions: int = 0
    """The sequence of the last promotion: the head that the next one is conditioned on."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    authors: tuple[str, ...] = ()
    """Who applied the definition since its training part last changed."""
    needs_approval: bool = False
    """Whether a version has to be approved before it can be live."""


class FeatureSetVersion(Record):
    """One immutable version of a feature set's definition."""

    name: str
    project: str
    team: str
    number: int
    digest: str
    definition: dict[str, Any]
    """The content of its FeatureSetDefinition."""
    lineage: dict[str, tuple[str, ...]] = {}
    """For each feature, the source columns that it comes from, as `source.column`."""
    created_at: datetime
    created_by: str
    archived_at: datetime | None = None


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    """Its training set is being built, by the platform."""
    TRAINING = "TRAINING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class Run(Record):
    """A request for a trained version, and what became of it."""

    id: str
    """The model's name, the request's digest shortened, and the attempt."""
    model: str
    project: str
    team: str
    request: str
    attempt: int
    spec: dict[str, Any]
    """The content of the RunSpec."""
    state: RunState
    sequence: int = 1
    """Goes up with every change; a change is conditioned on it."""
    tries: int = 0
    """How often it was started; a transient failure starts it again."""
    epoch: int = 0
    """The controller's fence: a change by a controller of an earlier epoch is refused."""
    not_before: datetime | None = None
    """When the next try may start."""
    cancel_requested: bool = False
    reason: str = ""
    """Why it failed, or why it waits, in words."""
    permanent: bool = False
    """Whether its failure can't be mended by trying again."""
    version: int | None = None
    """The version that it made."""
    metrics: dict[str, Estimate] = {}
    remarks: tuple[str, ...] = ()
    """What audits found in its data and let pass, in words."""
    created_at: datetime
    created_by: str
    """Who asked for it; the registry fills it in, as it does with the two above."""
    authors: tuple[str, ...] = ()
    """Who asked for it, and who applied the definition it is of: those who can't approve what it makes."""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Outcome(Record):
    """How a run's job ended."""

    ok: bool
    reason: str = ""
    """Why not, in words."""
    permanent: bool = False
    """Whether trying again can't help."""
    version: int | None = None
    """The version that it registered."""
    metrics: dict[str, Estimate] = {}


class RunProgress(Record):
    """How far a run's job has come, as it said last; kept beside the run, and no change of it."""

    run: str
    """The run's id."""
    tries: int
    """The try that says so; a job of an earlier try has nothing to say any more."""
    part: float = Field(default=0, ge=0, le=1)
    """How much is done."""
    doing: str = ""
    """What is being done, in words."""
    metrics: dict[str, Estimate] = {}
    """What is known of them by now."""
    outcome: Outcome | None = None
    """How the job ended; its last word."""
    at: datetime | None = None
    """When the registry was told; it says so itself."""


class Event(Record):
    """Something that happened to a model, a feature set or a run, as the audit log keeps it."""

    sequence: int
    """The position among the events of its chain: later ones of a subject have larger ones."""
    subject: str
    """`model:NAME`, `feature_set:NAME` or `run:ID`."""
    type: str
    """Such as `version.ready`, `model.promoted`, `run.failed`."""
    at: datetime
    by: str
    details: dict[str, Any] = {}
    hash: str = ""
    """The SHA-256 of this event and the hash before it in its chain."""


class ChangePage(Record):
    """Some events after a position of the change cursor, and where to go on."""

    items: tuple[Event, ...]
    """The events, the oldest of each subject first; none, where nothing has happened since."""
    next: str
    """The opaque token for the following page, or for asking again later."""
