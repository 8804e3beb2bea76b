"""What a caller sends: a body of bounded size and time, JSON read strictly, and which rows it asks for.

Strictly: UTF-8, no NaN or Infinity, no number beyond 64-bit floats, no lone surrogates, no name twice in an object,
no more than 1,024 levels. Everything else that is wrong is told by the model's schema.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, get_args

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from modelyard.scoring.schema import NAME_TOLD, Fault, InvalidRows

if TYPE_CHECKING:
    from starlette.requests import Request

By = Literal["entities", "features"]


class Asked(NamedTuple):
    """The rows of a request."""

    by: By
    """Whether rows are entities, whose features are looked up, or features."""
    rows: list[Any]
    """JSON values, not yet checked."""


async def read_body(request: Request, *, limit: int, seconds: float) -> bytes:
    """A request's body.

    Args:
        request: The request.
        limit: The most bytes that are read.
        seconds: The longest that the sender may take.

    Raises:
        HTTPException: It is no JSON by its own word (415), too large (413), too slow (408), or cut off (400).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        _refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be sent as `content-type: application/json`")
    too_large = f"the body is larger than {limit:,} bytes; send the rows in several requests"
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and float(announced) > limit:  # not int(): it takes no more than 4,300 digits
        _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large)
    except TimeoutError:
        _refuse(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {seconds:g} seconds")
    except ClientDisconnect:
        _refuse(HTTPStatus.BAD_REQUEST, "the body was cut off")
    return bytes(body)


def parse(body: bytes) -> Asked:
    """The rows that a body asks for.

    Raises:
        InvalidRows: It is no strict JSON, or not an object with either `entities` or `features`, a list.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRows([Fault("body", f"is not valid JSON: {error}")]) from error
    if not isinstance(content, dict):
        raise InvalidRows([Fault("body", "is no object", 'send {"features": [{...}]} or {"entities": [{...}]}')])
    names = [name for name in get_args(By) if name in content]
    if len(names) != 1 or len(content) != 1:
        raise InvalidRows(_wrong_names(content, names))
    rows = content[names[0]]
    if not isinstance(rows, list):
        raise InvalidRows([Fault(names[0], "is no list", f'send {{"{names[0]}": [{{...}}]}}')])
    _refuse_repeated_names(body, rows)
    return Asked(names[0], rows)


def _wrong_names(content: dict[str, Any], names: list[By]) -> list[Fault]:
    unknown = next((name for name in content if name not in get_args(By)), None)
    if unknown is not None:
        return [Fault(unknown[:NAME_TOLD], "is unknown", "a body has `entities` or `features`, and nothing else")]
    said = "has both `entities` and `features`" if names else "has neither `entities` nor `features`"
    return [Fault("body", said, "send the one by which rows are to be scored")]


def _refuse_repeated_names(body: bytes, rows: list[Any]) -> None:
    # Each name in JSON has a colon after it. With as many colons as names were kept, none was dropped for being
    # repeated; else the colon may be part of a string, and only the slow reader can tell.
    kept = 1 + sum(len(row) for row in rows if isinstance(row, dict))
    if body.count(b":") != kept:
        try:
            json.loads(body, object_pairs_hook=_unrepeated)
        except RecursionError as error:
            raise InvalidRows([Fault("body", "is nested too deeply")]) from error


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidRows([Fault("body", f"says `{name[:NAME_TOLD]}` twice in one object")])
    return content


def _refuse(status: HTTPStatus, detail: str) -> NoReturn:
    raise HTTPException(status, detail)
