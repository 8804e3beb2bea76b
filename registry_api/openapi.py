"""What the description of the API says of a route: an example of each answer, and of what may go wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from modelyard.asgi.problem import MEDIA_TYPE, PREFIX
from modelyard.registry.messages import Problem
from registry_api.examples import plain

_PROBLEMS = {
    400: ("bad-request", "There was an error parsing the body", ""),
    403: (
        "forbidden",
        "`amina` is among those who made version 7 of `ke_loan_default`",
        "somebody else has to approve it",
    ),
    404: ("not-found", "there is no model `ke_loan_defualt`", "`modelyard models` lists them"),
    409: ("conflict", "`ke_loan_default` is at revision 3, and 2 was expected", "plan again, then apply"),
    410: ("cursor-lost", "the changes that were read last are not in this registry", "begin at the beginning"),
    413: ("too-large", "the body may have 12582912 bytes", ""),
    415: ("refused-content", "`model.pkl` is of a kind that is not stored", "pickles are never stored"),
    416: ("range-not-satisfiable", "the file has 7 bytes, and none of them is in `bytes=9-`", ""),
    422: ("invalid-data", "'Ke' is no model's name", "names are lower-case letters, digits and underscores"),
    503: ("unavailable", "the registry is busy", "try again"),
    507: ("storage-full", "no room for `model.skops`", "make room, then try again"),
}
"""For each status, an example: kind, detail, hint."""

_SCHEMA = Problem.model_json_schema()

Answers = dict[int | str, dict[str, Any]]


def answers(example: Any, *problems: int, status: int = 200) -> Answers:
    """The answers of a route, each with an example.

    Args:
        example: What it answers with.
        problems: The statuses of what may go wrong; wrong requests and a busy registry are added.
        status: The status where all is well.
    """
    good = {"description": HTTPStatus(status).phrase, "content": {"application/json": {"example": plain(example)}}}
    return {status: good, **failures(*problems)}


def failures(*problems: int) -> Answers:
    """The answers for what may go wrong; wrong requests and a busy registry are added."""
    return {status: _failure(status) for status in sorted({*problems, 422, 503})}


def _failure(status: int) -> dict[str, Any]:
    name, detail, hint = _PROBLEMS[status]
    title = HTTPStatus(status).phrase
    example = {"type": f"{PREFIX}{name}", "title": title, "status": status, "detail": detail, "hint": hint}
    return {"description": title, "content": {MEDIA_TYPE: {"schema": _SCHEMA, "example": example}}}
