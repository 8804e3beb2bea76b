"""The bytes of versions, streamed both ways."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from modelyard.files import CHUNK
from modelyard.registry.records import Download
from modelyard.registry.transfer import artifact_part
from registry_api import examples
from registry_api.access import RegistryRoute
from registry_api.errors import problem
from registry_api.openapi import answers, failures
from registry_api.ranges import Unsatisfiable, read_range
from registry_api.requests import ModelName, Number, Served, StrictRoute
from registry_api.routes.versions import CLAIM_HEADER

router = APIRouter(
    prefix="/v1/models/{model}/versions/{number}/artifacts", tags=["artifacts"], route_class=RegistryRoute
)
downloads = APIRouter(
    prefix="/v1/models/{model}/versions/{number}/downloads", tags=["artifacts"], route_class=StrictRoute
)

ArtifactPath = Annotated[str, Path(description="The artifact's path within the version.", examples=["model.skops"])]
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": "(bytes)"}}


@router.put(
    "/{path:path}",
    status_code=204,
    responses=failures(404, 409, 413, 507),
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
async def upload_artifact(
    request: Request,
    registry: Served,
    model: ModelName,
    number: Number,
    path: ArtifactPath,
    claim: Annotated[str, Header(alias=CLAIM_HEADER, description="The secret, as the upload target says.")],
) -> Response:
    """Send an artifact's bytes. They are kept if they are those that were claimed, else nothing is."""
    waiting = bytearray()
    try:
        async with contextmanager_in_threadpool(registry.receiving(model, number, path, claim)) as writer:
            async for part in request.stream():
                waiting += part
                if len(waiting) >= CHUNK:  # one step aside from the loop for many small parts
                    await run_in_threadpool(writer.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(writer.write, bytes(waiting))
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it; what had arrived is gone already
    return Response(status_code=204)


@downloads.get("/{path:path}", responses=answers(examples.DOWNLOAD, 404))
def find_download(registry: Served, model: ModelName, number: Number, path: ArtifactPath) -> Download:
    """An artifact, and a URL that reads it from the object store itself, for some minutes and without credentials.

    Where `url` is empty, the store is behind this service: read the artifact's own path.
    """
    return registry.download(model, number, path)


@router.head("/{path:path}", include_in_schema=False)
@router.get(
    "/{path:path}",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file", "content": _BINARY},
        206: {"description": "The part of the file that was asked for", "content": _BINARY},
        304: {"description": "The client has the file already"},
        **failures(404, 416),
    },
)
def download_artifact(  # noqa: PLR0913, PLR0917 - one for each header that a download may carry
    request: Request,
    registry: Served,
    model: ModelName,
    number: Number,
    path: ArtifactPath,
    range_: Annotated[str | None, Header(alias="Range", examples=["bytes=0-1023"])] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """An artifact's bytes, or a range of them. The ETag is their SHA-256."""
    artifact, start, end = artifact_part(registry.version(model, number), path, 0, None)
    tag = f'"{artifact.sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, immutable, max-age=31536000",  # a version never changes
        "Content-Disposition": "attachment",  # never shown as a page of ours
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match and (tag in if_none_match or if_none_match.strip() == "*"):
        return Response(status_code=304, headers=headers)
    try:
        part = read_range(range_, artifact.size) if if_range in (None, tag) else None
    except Unsatisfiable as error:
        size = {"Content-Range": f"bytes */{artifact.size}"}
        return problem("range-not-satisfiable", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, error.reason, headers=size)
    if part is not None:
        start, end = part
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{artifact.size}"
    headers["Content-Length"] = str(end - start)
    chunks = iter(()) if request.method == "HEAD" else registry.read_artifact(model, number, path, start=start, end=end)
    return StreamingResponse(chunks, 206 if part else 200, headers=headers, media_type=artifact.media_type)
