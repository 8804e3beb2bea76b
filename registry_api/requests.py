"""How requests are read: the registry at hand, parameters with their bounds, and bodies of strict JSON."""

import json
import re
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from pydantic_core import to_json

from modelyard.asgi.auth.routes import sight_of
from modelyard.registry.checks import GREATEST_NUMBER, NAME, RUN_ID, SUBJECT
from modelyard.registry.local import LocalRegistry
from modelyard.registry.pages import MOST
from registry_api.access import RegistryRoute, registry_of
from registry_api.page_tokens import PageTokens

Served = Annotated[LocalRegistry, Depends(registry_of)]
"""The registry that the app serves, acting for whoever calls."""

Sees = Annotated[Callable[[str], bool], Depends(sight_of)]
"""Whether whoever calls may know of what a team owns: lists show him nothing else."""


def _page_tokens(request: Request) -> PageTokens:
    tokens: PageTokens = request.app.state.page_tokens
    return tokens


Tokens = Annotated[PageTokens, Depends(_page_tokens)]
"""The page tokens of lists that leave something out."""

ModelName = Annotated[str, Path(pattern=f"^{NAME}$", description="The model's name.", examples=["ke_loan_default"])]
FeatureSetName = Annotated[str, Path(pattern=f"^{NAME}$", description="The feature set's name.")]
RunId = Annotated[str, Path(pattern=f"^{RUN_ID}$", description="The run's id.")]
Subject = Annotated[
    str, Path(pattern=f"^({SUBJECT})$", description="model:NAME, feature_set:NAME, source:NAME, run:ID.")
]
Number = Annotated[int, Path(ge=1, le=GREATEST_NUMBER, description="The version's number.", examples=[7])]
PageToken = Annotated[str | None, Query(description="`next` of the page before; the first page unless said.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most records of the page.")]


def _as_json(endpoint: Callable[..., Any], status: int) -> Callable[..., Any]:
    """A route's function that returns the answer instead of the record; what is an answer already stays."""
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    def answering(*arguments: Any, **options: Any) -> Response:
        found = endpoint(*arguments, **options)
        return found if isinstance(found, Response) else Response(to_json(found), status, media_type="application/json")

    return answering


_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of half of a character; two of them in a row are a whole one, such as an emoji."""


class _StrictRequest(Request):
    """A request whose JSON means one thing only: no key twice, no NaN, no Infinity, and all of its text is Unicode."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            text = body.decode()  # strictly: the reader of JSON would take halves of characters, and other encodings
            content = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
            if _ESCAPED_HALF.search(text):
                _check_whole(content)
            return content
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            # The one error of JSON that becomes an answer: too deep, too long a number, no UTF-8, or one of ours.
            raise json.JSONDecodeError(str(error), "", 0) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        msg = "a key stands twice in an object"
        raise ValueError(msg)
    return content


def _check_whole(content: Any) -> None:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        msg = "a text holds half of a character"
        raise ValueError(msg) from error


def _refuse(constant: str) -> None:
    msg = f"{constant} is no JSON"
    raise ValueError(msg)


class StrictRoute(RegistryRoute):
    """A route that reads strict JSON, and answers with the JSON of the record that its function returns.

    FastAPI would validate each answer once more; a record is valid already, and a page of a hundred takes longer to
    validate than to read.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _as_json(endpoint, options.get("status_code") or 200), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a strict request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict
