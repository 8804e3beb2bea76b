"""The routes: they translate between HTTP and `modelyard.scoring`, and decide nothing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from modelyard.asgi.auth.routes import sight_of
from scoring_service.access import ScoringRoute
from scoring_service.messages import ByEntities, ByFeatures, Readiness, Scored, ServedModels, Started, problems
from scoring_service.requests import parse, read_body
from scoring_service.service import Service  # noqa: TC001 - FastAPI reads annotations

router = APIRouter(route_class=ScoringRoute)

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [ByFeatures.model_json_schema(), ByEntities.model_json_schema()]},
            "examples": {
                name: {"value": {field: model.model_json_schema()["properties"][field]["examples"][0]}}
                for name, model, field in (
                    ("by features", ByFeatures, "features"),
                    ("by entity", ByEntities, "entities"),
                )
            },
        }
    },
}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _json(content: Any, status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


@router.post(
    "/v1/models/{model}/score",
    summary="Score rows",
    response_model=Scored,
    openapi_extra={"requestBody": _BODY},
    responses=problems(404, 408, 413, 415, 422, 503),
)
async def score(model: str, request: Request) -> Response:
    """Predictions of the live version: for rows of features, or for entities, whose features are looked up."""
    service = _service(request)
    runtime = service.live.get(model)
    request.state.model = model
    service.workers.check()
    body = await read_body(request, limit=service.limits.body, seconds=service.limits.body_seconds)

    def work() -> tuple[bytes, int]:
        asked = parse(body)
        content = runtime.answer(asked.by, asked.rows, service.clock())
        return orjson.dumps(content), len(asked.rows)

    content, rows = await service.workers.run(work)
    service.metrics.rows.labels(model).inc(rows)
    return Response(content, media_type="application/json")


@router.get("/v1/models", summary="List the models that are served", response_model=ServedModels)
async def models(request: Request) -> Response:
    """Every model with a version that answers and that the caller may see, and what its rows hold."""
    seen = sight_of(request)
    loaded = [slot.loaded for slot in _service(request).live.slots() if slot.loaded is not None]
    runtimes = [runtime for runtime in loaded if seen(runtime.team)]
    return _json({"models": [runtime.describe() for runtime in runtimes]})


@router.get("/health", summary="Whether the process lives")
async def health() -> Response:
    """Nothing but that the process answers: whoever restarts processes may ask this."""
    return _json({"status": "ok"})


@router.get(
    "/started",
    summary="Whether the service may be sent requests",
    response_model=Started,
    responses={503: {"model": Started, "description": "It is still loading what was live when it began, or it ends."}},
)
async def started(request: Request) -> Response:
    """200 once everything that was live was loaded, or could not be: for load balancers: one model stops no other."""
    is_started = _service(request).started
    return _json({"started": is_started}, HTTPStatus.OK if is_started else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get(
    "/ready",
    summary="Whether requests can be answered",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not every live model is loaded."}},
)
async def ready(request: Request) -> Response:
    """200 where every model with a live version has one that answers, be it an older one; what is amiss is named."""
    live = _service(request).live
    amiss = [slot for slot in live.slots() if slot.live != slot.served]
    content = {
        "ready": live.ready,
        "registry": live.problem,
        "models": [
            {"model": slot.model, "live": slot.live, "served": slot.served, "problem": slot.problem} for slot in amiss
        ],
    }
    return _json(content, HTTPStatus.OK if live.ready else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, latencies, rows, versions and failures, in Prometheus' text format."""
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description for programs."""
    return _json(request.app.openapi())


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The description for people."""
    return get_swagger_ui_html(openapi_url="openapi.json", title=request.app.title)
