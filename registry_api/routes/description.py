"""What the API says of itself."""

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse

from registry_api.access import RegistryRoute

router = APIRouter(include_in_schema=False, route_class=RegistryRoute)


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The description for programs."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def docs(request: Request) -> Response:
    """The description for people."""
    return get_swagger_ui_html(openapi_url="openapi.json", title=request.app.title)
