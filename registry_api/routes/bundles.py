"""The projects' own modules, under their digest."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from registry_api.access import RegistryRoute
from registry_api.openapi import failures
from registry_api.requests import Served

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], route_class=RegistryRoute)

BundleDigest = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="The bundle's digest.", examples=["4f1c92ab77d0" + "0" * 52])
]
_ZIP = {"application/zip": {"schema": {"type": "string", "format": "binary"}, "example": "(bytes)"}}


@router.put(
    "/{digest}",
    status_code=204,
    responses=failures(413, 507),
    openapi_extra={"requestBody": {"required": True, "content": _ZIP}},
)
async def keep_bundle(request: Request, registry: Served, digest: BundleDigest) -> Response:
    """Keep the zip of a project's module, if it is the one with this digest. The same again changes nothing."""
    try:
        content = await request.body()
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    await run_in_threadpool(registry.keep_bundle, digest, content)
    return Response(status_code=204)


@router.get(
    "/{digest}",
    response_class=Response,
    responses={200: {"description": "The zip", "content": _ZIP}, **failures(404)},
)
def read_bundle(registry: Served, digest: BundleDigest) -> Response:
    """The zip of a project's module, for the process that trains with it."""
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return Response(registry.read_bundle(digest), media_type="application/zip", headers=headers)
