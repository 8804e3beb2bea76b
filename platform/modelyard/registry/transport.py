"""HTTP to a registry service: what fails in passing is sent again, and problems are turned back into errors.

Every call of the registry may be sent twice: reads are reads, and writes carry an idempotency key or a condition. So
what fails in passing (no connection, no answer in time, 429, 502, 503, 504) is sent again, with growing random pauses,
until the deadline; nothing else is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from modelyard.asgi.problem import PREFIX, error_of
from modelyard.errors import (
    Conflict,
    Forbidden,
    InvalidData,
    ModelyardError,
    NotFound,
    Unauthenticated,
    UsageError,
)
from modelyard.registry.credential import Credential
from modelyard.registry.messages import Problem
from modelyard.retries import Passing, retried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEADLINE = 15.0
"""Seconds until a call that keeps failing in passing is given up: a service restarts in less."""

_TIMEOUT = httpx.Timeout(10, read=60)
_PATIENT = httpx.Timeout(10, read=900, write=60)  # for calls in which the service reads or writes whole artifacts
_PASSING = (429, 502, 503, 504)
_BY_STATUS: dict[int, type[ModelyardError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}
_SERVER_ERROR = 500


class Transport:
    """Calls to one service.

    Args:
        url: The service's address, such as `http://127.0.0.1:8700`.
        deadline: Seconds until a call that keeps failing in passing is given up.
        credential: The token that it is shown. No redirect is followed, so that nobody else ever is.
    """

    def __init__(self, url: str, *, deadline: float = DEADLINE, credential: Credential | None = None) -> None:
        self.url = url.rstrip("/")
        self._deadline = deadline
        self._credential = credential or Credential()
        # The environment does not redirect us: settings alone say where the registry is.
        self._client = httpx.Client(base_url=self.url, timeout=_TIMEOUT, trust_env=False, auth=self._sign)

    def _sign(self, request: httpx.Request) -> httpx.Request:
        if self.is_own(str(request.url)):
            request.headers.update(self._credential.headers())
        return request

    def is_own(self, url: str) -> bool:
        """Whether a URL leads to the service itself."""
        asked, own = httpx.URL(url), httpx.URL(self.url)
        return (asked.scheme, asked.host, asked.port) == (own.scheme, own.host, own.port)

    def shown(self) -> dict[str, str]:
        """The headers that say who calls."""
        return self._credential.headers()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        json: str | None = None,
        params: Mapping[str, Any] | None = None,
        patient: bool = False,
    ) -> bytes:
        """The body of the answer to a request.

        Args:
            method: The HTTP method.
            path: The path, with names already quoted.
            json: The request's body.
            params: The query's parameters; those that are None are left out.
            patient: Whether the service may take minutes.
        """
        headers = {} if json is None else {"Content-Type": "application/json"}
        query = {name: value for name, value in (params or {}).items() if value is not None}
        timeout = _PATIENT if patient else _TIMEOUT

        def send() -> bytes:
            with _passing_faults(self.url):
                answer = self._client.request(
                    method, path, content=json, params=query, headers=headers, timeout=timeout
                )
            return checked(answer).content

        return retried(send, deadline=self._deadline)

    def put(self, path: str, chunks: Callable[[], Iterator[bytes]], headers: Mapping[str, str]) -> None:
        """Send bytes.

        Args:
            path: The path, or a whole URL.
            chunks: The bytes, from their beginning at each call.
            headers: The request's headers.
        """

        def send() -> None:
            with _passing_faults(self.url):
                answer = self._client.put(path, content=chunks(), headers=dict(headers), timeout=_PATIENT)
            checked(answer)

        retried(send, deadline=self._deadline)

    @contextmanager
    def reading(self, path: str, headers: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
        """The body of an answer, in chunks as they come. That it begins is retried; that it ends is not."""

        def send() -> httpx.Response:
            request = self._client.build_request("GET", path, headers=dict(headers), timeout=_PATIENT)
            with _passing_faults(self.url):
                answer = self._client.send(request, stream=True)
                if answer.is_error:
                    answer.read()
            return checked(answer)

        answer = retried(send, deadline=self._deadline)
        try:
            yield answer.iter_bytes()
        except httpx.TransportError as error:
            raise _unanswered(self.url, error) from error
        finally:
            answer.close()


@contextmanager
def _passing_faults(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise _unanswered(url, error) from error
    except httpx.InvalidURL as error:
        msg = f"`{url}` is no address of a registry: {error}"
        raise UsageError(msg, "write it as http://127.0.0.1:8700") from error


def _unanswered(url: str, error: httpx.TransportError) -> Passing:
    return Passing(f"the registry at {url} does not answer: {error}", "is `modelyard serve registry` running there?")


def checked(answer: httpx.Response) -> httpx.Response:
    """An answer of a service, if it is a good one.

    Raises:
        Passing: It may be another one at the next try.
        ModelyardError: The error that the service raised.
    """
    if answer.is_success:  # a redirection is none: settings alone say where the registry is
        return answer
    error = _error_of(answer)
    if answer.status_code in _PASSING:
        passing = Passing(error.reason, error.hint)
        passing.retry_after = _seconds(answer.headers.get("Retry-After", ""))
        raise passing
    raise error


def _seconds(value: str) -> float:
    return min(float(value), DEADLINE) if value.isdecimal() else 0


def _error_of(answer: httpx.Response) -> ModelyardError:
    """The error that the service raised; one that it has no name for is what its status stands for."""
    wrong = InvalidData if answer.status_code < _SERVER_ERROR else ModelyardError
    kind = _BY_STATUS.get(answer.status_code, wrong)
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return kind(f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}")
    known = error_of(problem.type.removeprefix(PREFIX), answer.status_code)
    return (known or kind)(problem.detail, problem.hint)
