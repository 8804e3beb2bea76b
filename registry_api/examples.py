"""Examples of what the API takes and gives, as the records themselves: so they are always valid."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from modelyard.config.definitions import ModelDefinition
from modelyard.registry.lineage import AffectedModel, FeatureSetLineage, VersionLineage
from modelyard.registry.messages import ApplyModel, Approve, Archive, Promote, RegisterFeatureSet, Rollback, Trainer
from modelyard.registry.records import (
    Approval,
    Artifact,
    ChangePage,
    Claim,
    Download,
    Estimate,
    Event,
    FeatureSetPin,
    FeatureSetVersion,
    ModelRecord,
    ModelVersion,
    Page,
    Pins,
    Promotion,
    PromotionKind,
    Run,
    RunProgress,
    RunState,
    UploadTarget,
    VersionClaim,
    VersionState,
)
from modelyard.registry.run_spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, 21, tzinfo=UTC)
MODEL = "ke_loan_default"
FEATURE_SET = "borrower_history"
DIGEST = "4f1c92ab77d0" + "0" * 52

SOURCE_DEFINITION: dict[str, Any] = {
    "apiVersion": "modelyard/v1",
    "kind": "Source",
    "name": "loans",
    "format": "parquet",
    "path": "data/loans/*.parquet",
    "columns": {"borrower_id": "string", "disbursed_at": "timestamp", "amount": "double", "defaulted_30d": "integer"},
    "timestamp": "disbursed_at",
}
FEATURE_SET_DEFINITION: dict[str, Any] = {
    "document": {
        "apiVersion": "modelyard/v1",
        "kind": "FeatureSet",
        "name": FEATURE_SET,
        "owner": "credit-ke",
        "entity": "borrower_id",
        "timezone": "Africa/Nairobi",
        "source": "loans",
        "aggregations": [{"name": "borrowed_30d", "of": "amount", "how": "sum", "window": "30d"}],
    },
    "sources": {"loans": SOURCE_DEFINITION},
}
LINEAGE: dict[str, tuple[str, ...]] = {"borrowed_30d": ("loans.amount", "loans.borrower_id", "loans.disbursed_at")}
_PIPELINE = [{"use": "sklearn.linear_model.LogisticRegression"}]
MODEL_DEFINITION: dict[str, Any] = {
    "document": {
        "apiVersion": "modelyard/v1",
        "kind": "Model",
        "name": MODEL,
        "owner": "credit-ke",
        "timezone": "Africa/Nairobi",
        "task": "binary_classification",
        "data": {
            "labels": {
                "source": "loans",
                "entity": "borrower_id",
                "timestamp": "disbursed_at",
                "label": "defaulted_30d",
            },
            "features": [FEATURE_SET],
        },
        "pipeline": _PIPELINE,
    },
    "pipeline": _PIPELINE,
    "sources": {"loans": SOURCE_DEFINITION},
    "feature_sets": {FEATURE_SET: FEATURE_SET_DEFINITION},
}

_DEFINITION = ModelDefinition.model_validate_json(json.dumps(MODEL_DEFINITION))
SET_DIGEST = _DEFINITION.feature_sets[FEATURE_SET].digest
SPEC = RunSpec(
    definition=_DEFINITION,
    as_of=datetime(2026, 11, 19, 21, tzinfo=UTC),
    to=date(2026, 11, 20),
    feature_sets=(FeatureSetPin(name=FEATURE_SET, version=3, digest=SET_DIGEST),),
    code=DIGEST,
    environment=DIGEST,
)
RUN_ID = SPEC.run_id(1)

ARTIFACT = Artifact(path="model.skops", size=52_311, sha256=DIGEST)
PINS = Pins(
    config=SPEC.config,
    code=SPEC.code,
    environment=SPEC.environment,
    training_set=DIGEST,
    feature_sets=SPEC.feature_sets,
)
CLAIM = VersionClaim(
    model=MODEL,
    key=RUN_ID,
    run=RUN_ID,
    request=SPEC.request,
    pins=PINS,
    metrics={"roc_auc": Estimate(value=0.741, low=0.728, high=0.754)},
    artifacts=(ARTIFACT,),
)
READY = ModelVersion(
    **dict(CLAIM),
    team="credit-ke",
    number=7,
    state=VersionState.READY,
    location=f"models/credit-ke/{MODEL}/7-9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d",
    created_at=NOON,
    created_by="amina",
    ready_at=NOON + timedelta(seconds=2),
)
ARCHIVED = READY.model_copy(update={"state": VersionState.ARCHIVED, "archived_at": MIDNIGHT})
CLAIMED = Claim(
    version=READY.model_copy(update={"state": VersionState.PENDING, "ready_at": None}),
    targets=(
        UploadTarget(
            path=ARTIFACT.path,
            url=f"/v1/models/{MODEL}/versions/7/artifacts/{ARTIFACT.path}",
            headers={"Modelyard-Claim": "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d"},
        ),
    ),
)
DOWNLOAD = Download(
    artifact=ARTIFACT,
    url=f"https://company-models.s3.eu-west-1.amazonaws.com/{READY.location}/{ARTIFACT.path}?X-Amz-Expires=900",
)
RECORD = ModelRecord(
    name=MODEL,
    project="lender",
    team="credit-ke",
    timezone="Africa/Nairobi",
    revision=2,
    definition=MODEL_DEFINITION,
    config=SPEC.config,
    latest=7,
    promotions=1,
    created_at=NOON,
    updated_at=NOON,
)
ARCHIVED_RECORD = RECORD.model_copy(update={"revision": 3, "archived_at": MIDNIGHT})
PROMOTION = Promotion(
    model=MODEL,
    sequence=1,
    kind=PromotionKind.PROMOTE,
    version=7,
    live_from=MIDNIGHT,
    recorded_at=NOON,
    recorded_by="amina",
    reason="Passed its gates.",
)
APPROVED = Approval(
    version=READY.model_copy(
        update={"needs_approval": True, "approved_by": "wanjiru", "approved_at": NOON + timedelta(hours=1)}
    ),
    promotion=PROMOTION.model_copy(update={"recorded_by": "wanjiru"}),
)
ROLLED_BACK = PROMOTION.model_copy(
    update={
        "sequence": 2,
        "kind": PromotionKind.ROLLBACK,
        "version": 6,
        "live_from": MIDNIGHT + timedelta(hours=4),
        "reason": "Scores drifted.",
    }
)
REGISTERED = FeatureSetVersion(
    name=FEATURE_SET,
    project="lender",
    team="credit-ke",
    number=3,
    digest=SET_DIGEST,
    definition=FEATURE_SET_DEFINITION,
    lineage=LINEAGE,
    created_at=NOON,
    created_by="amina",
)
QUEUED = Run(
    id=RUN_ID,
    model=MODEL,
    project="lender",
    team="credit-ke",
    request=SPEC.request,
    attempt=1,
    spec=SPEC.content(),
    state=RunState.QUEUED,
    created_at=NOON,
    created_by="amina",
)
TRAINING = QUEUED.model_copy(update={"state": RunState.TRAINING, "sequence": 3, "tries": 1, "started_at": NOON})
CANCELLED = QUEUED.model_copy(update={"state": RunState.CANCELLED, "sequence": 2, "cancel_requested": True})
PROGRESS = RunProgress(run=RUN_ID, tries=1, part=0.4, doing="fitting on 41,200 rows", at=NOON)
TRAINER = Trainer(image="images.example.org/modelyard-trainer:1.0.0")
EVENT = Event(
    sequence=42,
    subject=f"model:{MODEL}",
    type="version.ready",
    at=NOON,
    by="amina",
    details={"version": 7},
    hash=DIGEST,
)
CHANGES = ChangePage(items=(EVENT,), next="W1s0MiwiOWYzYjRjMDFkODdlNjJhYSJdXQ")
VERSION_LINEAGE = VersionLineage(
    model=MODEL,
    number=7,
    run=RUN_ID,
    pins=PINS,
    feature_sets=(FeatureSetLineage(name=FEATURE_SET, number=3, digest=SET_DIGEST, features=LINEAGE),),
)
AFFECTED = AffectedModel(
    name=MODEL, team="credit-ke", via=("source:loans", f"feature_set:{FEATURE_SET}"), applied=True, live=7
)

APPLY = ApplyModel(definition=MODEL_DEFINITION, project="lender", expected_revision=1)
REGISTER = RegisterFeatureSet(definition=FEATURE_SET_DEFINITION, project="lender", lineage=LINEAGE)
APPROVE = Approve(reason="Bias and stability reviewed, memo 112.")
ARCHIVE = Archive(reason="Replaced by version 8.")
PROMOTE = Promote(version=7, reason="Passed its gates.", key=RUN_ID)
ROLLBACK = Rollback(reason="Scores drifted.", key="incident-512")


def page(*items: Any) -> Page[Any]:
    """A page that holds records."""
    return Page(items=items, next="Nw")


def plain(example: Any) -> Any:
    """An example as JSON values."""
    return TypeAdapter(Any).dump_python(example, mode="json")


def several(*items: Any) -> Sequence[Any]:
    """Records without pages."""
    return items
