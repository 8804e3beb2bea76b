"""Errors as HTTP: one table, and one form of answer (RFC 9457, `application/problem+json`).

One more error is one more line in `STATUSES`, and in `modelyard.registry.problems` where clients should know it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from modelyard.asgi.problem import MEDIA_TYPE, problem_body, status_name
from modelyard.errors import Conflict, InvalidData, ModelyardError, NotFound, StorageFull, Unavailable
from modelyard.registry.artifacts import WrongBytes
from modelyard.registry.contents import RefusedContent
from modelyard.registry.problems import problem_name

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES: dict[type[ModelyardError], HTTPStatus] = {
    RefusedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidData: HTTPStatus.UNPROCESSABLE_ENTITY,
    WrongBytes: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelyardError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""A narrower class stands before a wider one. What is of none of these is the service's own fault: a store that is
damaged, or newer than this code; no client can mend it, and whoever watches the service has to know."""

RETRY_AFTER = "1"
"""Seconds after which a client may try again: what makes the registry busy passes in less."""

_MOST_MISTAKES = 10  # of one request that an answer lists


def status_of(error: ModelyardError) -> HTTPStatus:
    """The status that an error is answered with."""
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def problem(
    name: str, status: HTTPStatus, detail: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that says what went wrong.

    Args:
        name: The kind of problem.
        status: The status.
        detail: What was wrong, naming the place.
        hint: What to do about it.
        headers: More headers.
    """
    return Response(problem_body(name, status, detail, hint), status, headers=headers, media_type=MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error in one form."""
    app.exception_handler(ModelyardError)(_known)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_plain)
    app.exception_handler(Exception)(_unknown)


async def _known(_: Request, error: ModelyardError) -> Response:
    status = status_of(error)
    headers = {"Retry-After": RETRY_AFTER} if error.transient else None
    return problem(problem_name(error), status, error.reason, error.hint, headers)


async def _malformed(request: Request, error: RequestValidationError) -> Response:
    mistakes = error.errors()
    said = [f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in mistakes[:_MOST_MISTAKES]]
    if len(mistakes) > len(said):
        said.append(f"and {len(mistakes) - len(said)} more")
    detail = "; ".join(said)
    if ("body",) in {mistake["loc"] for mistake in mistakes} and not _says_json(request):
        hint = "send the body as `content-type: application/json`"
    else:
        hint = "/docs describes every request"
    return problem("invalid-data", HTTPStatus.UNPROCESSABLE_ENTITY, detail, hint)


def _says_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


async def _plain(_: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    return problem(status_name(status), status, str(error.detail), headers=error.headers)


async def _unknown(_: Request, error: Exception) -> Response:  # noqa: ARG001 - the server logs it
    detail = "something went wrong that should not have; the service's log says what"
    return problem("internal", HTTPStatus.INTERNAL_SERVER_ERROR, detail)
