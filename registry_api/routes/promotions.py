"""What is live."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import AwareDatetime

from modelyard.registry.messages import Promote, Rollback
from modelyard.registry.records import ModelVersion, Promotion
from registry_api import examples
from registry_api.openapi import answers
from registry_api.requests import ModelName, Served, StrictRoute

router = APIRouter(prefix="/v1/models/{model}", tags=["live"], route_class=StrictRoute)


@router.post("/promotions", responses=answers(examples.PROMOTION, 404, 409))
def promote(
    registry: Served, model: ModelName, body: Annotated[Promote, Body(examples=[examples.plain(examples.PROMOTE)])]
) -> Promotion:
    """Make a version live: from the next midnight in the model's timezone on, unless said."""
    return registry.promote(model, body.version, live_from=body.live_from, reason=body.reason, key=body.key)


@router.post("/rollback", responses=answers(examples.ROLLED_BACK, 404, 409))
def rollback(
    registry: Served, model: ModelName, body: Annotated[Rollback, Body(examples=[examples.plain(examples.ROLLBACK)])]
) -> Promotion:
    """Make the version that was live before live again, from now on; what was planned does not happen."""
    return registry.rollback(model, to=body.to, reason=body.reason, key=body.key)


@router.get("/promotions", responses=answers(examples.several(examples.PROMOTION, examples.ROLLED_BACK), 404))
def list_promotions(registry: Served, model: ModelName) -> tuple[Promotion, ...]:
    """Every promotion fact of a model, in the order in which they were recorded."""
    return tuple(registry.promotions(model))


@router.get("/live", responses=answers(examples.READY, 404))
def read_live(
    registry: Served,
    model: ModelName,
    at: Annotated[AwareDatetime, Query(description="The instant.", examples=["2026-11-21T00:00:00+03:00"])],
) -> ModelVersion | None:
    """The version that was, is or will be live at an instant, as planned by now; null where none is."""
    return registry.live(model, at)
