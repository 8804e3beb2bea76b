"""Errors as answers, in one form (RFC 9457, `application/problem+json`); what each is stands in `asgi.problem`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from modelyard.asgi.problem import MEDIA_TYPE, problem_body, problem_headers, problem_of, status_name
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_MISTAKES = 10  # of one request that an answer lists


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
    name, status = problem_of(error)
    return problem(name, status, error.reason, error.hint, problem_headers(error))


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
