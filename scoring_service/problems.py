"""Errors as answers, in one form (RFC 9457, `application/problem+json`); what each is stands in `asgi.problem`."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Response
from starlette.exceptions import HTTPException

from modelyard.asgi.problem import MEDIA_TYPE, problem_body, problem_headers, problem_of, status_name
from modelyard.errors import ModelyardError
from modelyard.scoring.schema import InvalidRows

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

_log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""
    app.exception_handler(ModelyardError)(_on_error)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_bug)


async def _on_error(_request: Request, error: ModelyardError) -> Response:
    name, status = problem_of(error)
    faults = error.faults if isinstance(error, InvalidRows) else ()
    more = {"errors": [asdict(fault) for fault in faults]} if faults else {}
    return _problem(name, status, error.reason, error.hint, problem_headers(error), **more)


async def _on_http_error(_request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    return _problem(status_name(status), status, error.detail, "", dict(error.headers or {}))


async def _on_bug(request: Request, error: Exception) -> Response:
    # What broke inside is for the log; a caller could do nothing with it.
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _problem("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "something broke inside; the log says what", "", {})


def _problem(name: str, status: HTTPStatus, detail: str, hint: str, headers: dict[str, str], **more: Any) -> Response:
    return Response(problem_body(name, status, detail, hint, **more), status, headers, media_type=MEDIA_TYPE)
