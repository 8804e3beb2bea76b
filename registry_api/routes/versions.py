"""Versions, without their bytes."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from modelyard.errors import InvalidData
from modelyard.registry.lineage import VersionLineage, version_lineage
from modelyard.registry.messages import Approve, Archive
from modelyard.registry.records import Approval, Claim, ModelVersion, Page, UploadTarget, VersionClaim
from modelyard.registry.rules.versions import secret_of
from registry_api import examples
from registry_api.openapi import answers
from registry_api.requests import Limit, ModelName, Number, PageToken, Served, StrictRoute

CLAIM_HEADER = "Modelyard-Claim"
"""Carries the claim's secret: only its creator may send its bytes."""

router = APIRouter(prefix="/v1/models/{model}", tags=["versions"], route_class=StrictRoute)


@router.post("/versions", status_code=201, responses=answers(examples.CLAIMED, 404, 409, 415, status=201))
def claim_version(
    registry: Served, model: ModelName, body: Annotated[VersionClaim, Body(examples=[examples.plain(examples.CLAIM)])]
) -> Claim:
    """Reserve the next number. The answer says where the bytes go; the same key gets the same version.

    The targets' URLs are relative to this service's address, or absolute where the bytes bypass it.
    """
    if body.model != model:
        msg = f"the claim is of `{body.model[:80]}`, and was sent to `{model}`"
        raise InvalidData(msg, "send it to the path with its own model")
    claimed = registry.claim(body)
    targets = tuple(_through_us(claimed.version, target) for target in claimed.targets)
    return claimed.model_copy(update={"targets": targets})


def _through_us(version: ModelVersion, target: UploadTarget) -> UploadTarget:
    """A target that the creator can reach: a folder of the service's machine is behind the service itself."""
    if not target.url.startswith("file:"):
        return target
    url = f"/v1/models/{version.model}/versions/{version.number}/artifacts/{target.path}"
    return target.model_copy(update={"url": url, "headers": {CLAIM_HEADER: secret_of(version)}})


@router.post("/versions/{number}/complete", responses=answers(examples.READY, 404, 415))
def complete_version(registry: Served, model: ModelName, number: Number) -> ModelVersion:
    """Verify that every artifact is there, whole and as claimed, and make the version READY. Again changes nothing."""
    return registry.complete(model, number)


@router.get("/versions", responses=answers(examples.page(examples.READY), 404))
def list_versions(registry: Served, model: ModelName, page: PageToken = None, limit: Limit = 100) -> Page[ModelVersion]:
    """A model's versions, the newest first, PENDING ones left out."""
    return registry.versions(model, page=page, limit=limit)


@router.get("/versions/{number}", responses=answers(examples.READY, 404))
def read_version(registry: Served, model: ModelName, number: Number) -> ModelVersion:
    """A version that is READY, ARCHIVED or DELETED."""
    return registry.version(model, number)


@router.get("/latest", responses=answers(examples.READY, 404))
def read_latest(registry: Served, model: ModelName) -> ModelVersion:
    """The READY version with the greatest number."""
    return registry.latest(model)


@router.get("/made-for", responses=answers(examples.READY))
def find_version(
    registry: Served, model: ModelName, request: Annotated[str, Query(description="The request's digest.")]
) -> ModelVersion | None:
    """The newest READY or ARCHIVED version that was made for a request; null where there is none."""
    return registry.find_version(model, request)


@router.post("/versions/{number}/archive", responses=answers(examples.ARCHIVED, 404, 409))
def archive_version(
    registry: Served,
    model: ModelName,
    number: Number,
    body: Annotated[Archive, Body(examples=[examples.plain(examples.ARCHIVE)])],
) -> ModelVersion:
    """Take a version out of use. Again changes nothing; one that is live, or will be, stays."""
    return registry.archive_version(model, number, reason=body.reason)


@router.post("/versions/{number}/approve", tags=["live"], responses=answers(examples.APPROVED, 403, 404, 409))
def approve_version(
    registry: Served,
    model: ModelName,
    number: Number,
    body: Annotated[Approve, Body(examples=[examples.plain(examples.APPROVE)])],
) -> Approval:
    """Let a version be made live; where its model promotes by itself, it is. Never by one of those who made it."""
    return registry.approve(model, number, reason=body.reason)


@router.get("/versions/{number}/lineage", tags=["lineage"], responses=answers(examples.VERSION_LINEAGE, 404))
def read_lineage(registry: Served, model: ModelName, number: Number) -> VersionLineage:
    """What a version was made from: feature sets' versions, and the source columns of their features."""
    return version_lineage(registry, model, number)
