"""Errors as HTTP answers: `application/problem+json`, by one table. Errors themselves know no HTTP.

One more kind of error is one more line in `STATUS`; the first line whose class fits counts.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from fastapi import Response
from starlette.exceptions import HTTPException

from modelyard.errors import (
    IntegrityError,
    InvalidData,
    ModelyardError,
    NotFound,
    Unavailable,
)
from modelyard.scoring.schema import InvalidRows

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

STATUS: tuple[tuple[type[ModelyardError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (IntegrityError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (InvalidData, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelyardError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
RETRY_AFTER = "1"
"""Seconds: what is busy now is seldom busy for longer."""

_log = structlog.get_logger(__name__)


def problem(status: int, detail: str, **more: Any) -> Response:
    """An answer that says what was wrong.

    Args:
        status: The HTTP status.
        detail: What was wrong, in words.
        more: Further members of the problem; empty ones are left out.
    """
    status = HTTPStatus(status)
    content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    content |= {name: value for name, value in more.items() if value}
    headers = {"retry-after": RETRY_AFTER} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(orjson.dumps(content), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""
    app.exception_handler(ModelyardError)(_on_error)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_bug)


async def _on_error(_request: Request, error: ModelyardError) -> Response:
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    faults = error.faults if isinstance(error, InvalidRows) else ()
    errors = [{"at": fault.at, "reason": fault.reason, "hint": fault.hint} for fault in faults]
    return problem(status, error.reason, hint=error.hint, errors=errors)


async def _on_http_error(_request: Request, error: HTTPException) -> Response:
    answer = problem(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _on_bug(request: Request, error: Exception) -> Response:
    # What broke inside is for the log; a caller could do nothing with it.
    _log.error("request failed", path=request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something broke inside; the service's log says what")
