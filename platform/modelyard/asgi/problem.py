"""The one form in which services say what went wrong: a problem, as RFC 9457 has it.

Errors know no HTTP: `PROBLEMS` says what each is as HTTP, for services and for their clients. One more error that
crosses is one more line there.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from modelyard.errors import (
    Conflict,
    CursorLost,
    Forbidden,
    IntegrityError,
    InvalidData,
    ModelyardError,
    NotFound,
    NotUploaded,
    RefusedContent,
    StorageFull,
    Unapproved,
    Unauthenticated,
    Unavailable,
    UsageError,
    WrongBytes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.asgi import Send

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:modelyard:problem:"

RETRY_AFTER = "1"
"""Seconds after which a client may try again: what is busy now is seldom busy for longer."""

CHALLENGE = 'Bearer realm="modelyard"'
"""What an answer of 401 asks for (RFC 6750)."""

PROBLEMS: Mapping[type[ModelyardError], tuple[str, HTTPStatus]] = {
    RefusedContent: ("refused-content", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    InvalidData: ("invalid-data", HTTPStatus.UNPROCESSABLE_ENTITY),
    NotUploaded: ("not-uploaded", HTTPStatus.UNPROCESSABLE_ENTITY),
    WrongBytes: ("integrity", HTTPStatus.UNPROCESSABLE_ENTITY),
    IntegrityError: ("integrity", HTTPStatus.INTERNAL_SERVER_ERROR),
    NotFound: ("not-found", HTTPStatus.NOT_FOUND),
    CursorLost: ("cursor-lost", HTTPStatus.GONE),
    Unapproved: ("unapproved", HTTPStatus.CONFLICT),
    Conflict: ("conflict", HTTPStatus.CONFLICT),
    Unauthenticated: ("unauthenticated", HTTPStatus.UNAUTHORIZED),
    Forbidden: ("forbidden", HTTPStatus.FORBIDDEN),
    StorageFull: ("storage-full", HTTPStatus.INSUFFICIENT_STORAGE),
    Unavailable: ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    UsageError: ("usage", HTTPStatus.INTERNAL_SERVER_ERROR),
    ModelyardError: ("internal", HTTPStatus.INTERNAL_SERVER_ERROR),
}
"""A narrower class stands before a wider one. A status of the 500s is the service's own fault: a store that is
damaged, or newer than this code; no client can mend it, and whoever watches the service has to know."""

_NAMES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large"}
"""Statuses that versions of Python name differently; what callers compare must not depend on that."""


def problem_body(name: str, status: HTTPStatus, detail: str, hint: str = "", **more: Any) -> bytes:
    """The JSON of a problem.

    Args:
        name: The kind of problem.
        status: The status of the answer.
        detail: What was wrong, naming the place.
        hint: What to do about it.
        more: Further members.
    """
    said = {"type": f"{PREFIX}{name}", "title": status.phrase, "status": status, "detail": detail, "hint": hint}
    # Escaped to ASCII: a detail may repeat half of a character that no UTF-8 can carry.
    return json.dumps({**said, **more}).encode()


def status_name(status: HTTPStatus) -> str:
    """The kind of a problem that HTTP itself has a name for."""
    return _NAMES.get(status) or status.name.lower().replace("_", "-")


def problem_of(error: ModelyardError) -> tuple[str, HTTPStatus]:
    """The kind of problem that an error is, and the status that it is answered with."""
    return next(problem for kind, problem in PROBLEMS.items() if isinstance(error, kind))


def problem_headers(error: ModelyardError) -> dict[str, str]:
    """What the answer to an error says beside the problem."""
    headers = {"retry-after": RETRY_AFTER} if error.transient else {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = CHALLENGE
    return headers


async def send_problem(send: Send, error: ModelyardError) -> None:
    """Answer a request with an error, where no framework does it."""
    name, status = problem_of(error)
    body = problem_body(name, status, error.reason, error.hint)
    said = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem_headers(error)}
    headers = [(key.encode(), value.encode()) for key, value in said.items()]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_of(name: str, status: int) -> type[ModelyardError] | None:
    """The error that a service raised, by its problem's kind and status; None where it is none that crosses."""
    return next((kind for kind, problem in PROBLEMS.items() if problem == (name, status)), None)
