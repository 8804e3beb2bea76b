"""Runs and their logs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from modelyard.canonical import canonical_json
from modelyard.errors import InvalidData, NotFound
from modelyard.files import io_errors
from modelyard.registry.messages import Trainer
from modelyard.registry.records import Page, Run, RunProgress
from modelyard.training.tasks import pod_task
from registry_api import examples
from registry_api.access import shown_to
from registry_api.openapi import answers, failures
from registry_api.requests import Limit, PageToken, RunId, Sees, Served, StrictRoute, Tokens

if TYPE_CHECKING:
    from modelyard.datasets.store import DatasetStore

router = APIRouter(prefix="/v1", tags=["runs"], route_class=StrictRoute)

URL_SECONDS = 3600
"""How long the URLs of a task open their files: longer than it takes to fetch a large training set."""

_TASK = {"application/json": {"schema": {"type": "object"}, "example": {"run": examples.RUN_ID}}}
_LOG = {"text/plain": {"schema": {"type": "string"}, "example": "fitting on 41,200 rows\n"}}


@router.post("/runs", responses=answers(examples.QUEUED, 404, 409, 413))
def queue_run(
    registry: Served, sees: Sees, body: Annotated[Run, Body(examples=[examples.plain(examples.QUEUED)])]
) -> Run:
    """Record a run, or answer with the one that has its id."""
    team = registry.team_of(f"model:{body.model}")
    if team is not None and not sees(team):
        msg = f"there is no model `{body.model}`"
        raise NotFound(msg, "`modelyard models` lists them")
    return registry.queue_run(body)


@router.get("/runs", responses=answers(examples.page(examples.TRAINING)))
def list_runs(registry: Served, sees: Sees, tokens: Tokens, page: PageToken = None, limit: Limit = 100) -> Page[Run]:
    """All runs that the caller may see, the newest first."""
    shown = shown_to(registry, sees)
    return tokens.page(
        lambda after: registry.runs(page=after, limit=limit), page, shown=lambda run: shown(f"model:{run.model}")
    )


@router.get("/open-runs", responses=answers(examples.page(examples.QUEUED)))
def list_open_runs(
    registry: Served, sees: Sees, tokens: Tokens, page: PageToken = None, limit: Limit = 100
) -> Page[Run]:
    """Runs that are not terminal and that the caller may see, the oldest first."""
    shown = shown_to(registry, sees)
    return tokens.page(
        lambda after: registry.open_runs(page=after, limit=limit), page, shown=lambda run: shown(f"model:{run.model}")
    )


@router.get("/runs/{run_id}", responses=answers(examples.TRAINING, 404))
def read_run(registry: Served, run_id: RunId) -> Run:
    """A run."""
    return registry.run(run_id)


@router.put("/runs/{run_id}", responses=answers(examples.TRAINING, 404, 409, 413))
def update_run(
    registry: Served, run_id: RunId, body: Annotated[Run, Body(examples=[examples.plain(examples.TRAINING)])]
) -> Run:
    """Replace a run's record, conditioned on the sequence that it was read with. The same again changes nothing."""
    if body.id != run_id:
        msg = f"the run is `{body.id[:80]}`, and was sent to `{run_id}`"
        raise InvalidData(msg, "send it to the path with its own id")
    return registry.update_run(body)


@router.post("/runs/{run_id}/cancel", responses=answers(examples.CANCELLED, 404))
def cancel_run(registry: Served, run_id: RunId) -> Run:
    """Ask for a run to end; a queued one is cancelled at once. A terminal one stays as it is."""
    return registry.cancel_run(run_id)


@router.get(
    "/runs/{run_id}/task",
    response_class=Response,
    responses={200: {"description": "The task", "content": _TASK}, **failures(404, 409)},
)
def read_task(request: Request, registry: Served, run_id: RunId) -> Response:
    """What the pod of a run is to do: its specification, and URLs that open its training set's files for a while."""
    datasets: DatasetStore | None = request.app.state.datasets
    if datasets is None:
        msg = "this service has no datasets"
        raise NotFound(msg, "set MODELYARD_DATASETS for the registry service, too")
    task = pod_task(registry.run(run_id), datasets, URL_SECONDS)
    # The URLs are keys: nobody on the way keeps them.
    return Response(
        canonical_json(task.content()), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@router.get("/trainer", responses=answers(examples.TRAINER, 404))
def read_trainer(request: Request) -> Trainer:
    """Where runs train: whoever asks for one pins this, so that the same request is the same from every machine."""
    image: str = request.app.state.trainer
    if not image:
        msg = "this service does not say which image runs train in"
        raise NotFound(msg, "set MODELYARD_TRAINER for the registry service to the image of training pods")
    return Trainer(image=image)


@router.put("/runs/{run_id}/progress", responses=answers(examples.PROGRESS, 404, 409, 413))
def report_progress(
    registry: Served, run_id: RunId, body: Annotated[RunProgress, Body(examples=[examples.plain(examples.PROGRESS)])]
) -> RunProgress:
    """Keep how far a run's job has come; a later call replaces it."""
    if body.run != run_id:
        msg = f"the progress is of `{body.run[:80]}`, and was sent to `{run_id}`"
        raise InvalidData(msg, "send it to the path with its run's id")
    return registry.report_progress(body)


@router.get("/runs/{run_id}/progress", responses=answers(examples.PROGRESS, 404))
def read_progress(registry: Served, run_id: RunId) -> RunProgress | None:
    """How far a run's job has come, as it said last; null where it has not said anything."""
    return registry.run_progress(run_id)


@router.put(
    "/runs/{run_id}/log",
    status_code=204,
    responses=failures(404, 413, 507),
    openapi_extra={"requestBody": {"required": True, "content": _LOG}},
)
async def write_run_log(request: Request, registry: Served, run_id: RunId) -> Response:
    """Keep a run's log; a later call replaces it."""
    with io_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as log:
        try:
            async for part in request.stream():
                await run_in_threadpool(log.write, part)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        log.seek(0)
        await run_in_threadpool(registry.write_run_log, run_id, log)
    return Response(status_code=204)


@router.get(
    "/runs/{run_id}/log",
    response_class=StreamingResponse,
    responses={200: {"description": "The log", "content": _LOG}, **failures(404)},
)
def read_run_log(registry: Served, run_id: RunId) -> Response:
    """A run's log as kept last."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return StreamingResponse(registry.read_run_log(run_id), media_type="text/plain; charset=utf-8", headers=headers)
