"""What machines ask of the service itself."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from modelyard.errors import ModelyardError, Unavailable
from registry_api.access import RegistryRoute
from registry_api.openapi import answers, failures

router = APIRouter(tags=["service"], route_class=RegistryRoute)


@router.get("/health", responses=answers({"status": "alive"}))
async def health() -> dict[str, str]:
    """The process answers, whatever its stores do."""
    return {"status": "alive"}


@router.get("/ready", responses=answers({"status": "ready"}))
def ready(request: Request) -> dict[str, str]:
    """The stores answer too."""
    try:
        request.app.state.registry.ping()  # for nobody in particular: whoever asks this need not say who he is
    except ModelyardError as error:
        raise Unavailable(error.reason, error.hint) from error
    return {"status": "ready"}


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "modelyard_registry_requests_total 1"}},
        },
        **failures(),
    },
)
def metrics(request: Request) -> Response:
    """Rates, errors and durations of every route."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
