"""The one form in which services say what went wrong: a problem, as RFC 9457 has it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:modelyard:problem:"

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
