"""Tokens of Kubernetes service accounts: the cluster's API server says whose they are (TokenReview)."""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx

from modelyard.asgi.auth.oidc import peek
from modelyard.asgi.auth.principal import Principal
from modelyard.asgi.auth.remembered import Remembered
from modelyard.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.asgi.auth.file import Kubernetes, Subject

POSITIVE = 60.0
"""Seconds for which an answer of the API server stays good: also while it is down."""
NEGATIVE = 10.0
"""The same for a token that it did not know: a caller that sends it on and on does not reach the API server."""

_TIMEOUT = 5.0
_PREFIX = "system:serviceaccount:"


class ServiceAccounts:
    """The service accounts of a cluster.

    Args:
        entry: Which of them may do what.
        remembered: Tokens that the API server knew just now.
        clock: The time, in seconds since 1970.
    """

    def __init__(
        self, entry: Kubernetes, remembered: Remembered[Principal], clock: Callable[[], float] = time.time
    ) -> None:
        self._entry = entry
        self._clock = clock
        self._subjects = [(_pattern(subject), subject) for subject in entry.subjects]
        self._good = remembered
        self._bad: Remembered[str] = Remembered()

    def may_be(self, token: str) -> bool:
        """Whether a token could be a service account's for this service: only those are asked about."""
        claims = peek(token)
        audiences = (claims or {}).get("aud")
        said = [audiences] if isinstance(audiences, str) else audiences if isinstance(audiences, list) else []
        return any(audience in self._entry.audiences for audience in said)

    def authenticate(self, token: str) -> Principal:
        """Whose a token is.

        Raises:
            Unauthenticated: It is no service account's, or was not made for this service.
            Unavailable: The API server does not answer, and has not said so before.
        """
        if (why := self._bad.get(token)) is not None:
            raise Unauthenticated(why)
        status = self._review(token)
        user = status.get("user")
        name = user.get("username") if isinstance(user, dict) else None
        audiences = status.get("audiences") or []
        if status.get("authenticated") is not True or not isinstance(name, str):
            why = "the cluster does not know the token"
        elif not set(audiences) & set(self._entry.audiences):
            why = f"the token is not for {' or '.join(self._entry.audiences)}"
        elif not name.startswith(_PREFIX):
            why = "the token is of no service account"
        else:
            principal = self._principal(name)
            expires = (peek(token) or {}).get("exp")
            left = expires - self._clock() if isinstance(expires, int | float) else POSITIVE
            self._good.put(token, principal, min(POSITIVE, left))
            return principal
        self._bad.put(token, why, NEGATIVE)
        raise Unauthenticated(why)

    def _principal(self, name: str) -> Principal:
        account = name.removeprefix(_PREFIX).replace(":", "/", 1)
        for pattern, subject in self._subjects:
            if pattern.fullmatch(account):
                return subject.principal(name)
        return Principal(name)  # it is who it says; it may do nothing here

    def _review(self, token: str) -> dict[str, Any]:
        api = self._entry.api
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(self._entry.audiences)},
        }
        try:
            own = self._entry.token_file.read_text(encoding="ascii").strip()
            ca_file = self._entry.ca_file
            verify = True if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
            with httpx.Client(timeout=_TIMEOUT, trust_env=False, verify=verify) as client:
                answer = client.post(
                    f"{api.rstrip('/')}/apis/authentication.k8s.io/v1/tokenreviews",
                    json=body,
                    headers={"Authorization": f"Bearer {own}"},
                )
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                msg = "the cluster does not know this service, which asks whose the token is"
                raise Unavailable(msg, "look at `kubernetes.token_file` in the file of MODELYARD_AUTH_FILE")
            if answer.status_code == httpx.codes.FORBIDDEN:
                msg = "the cluster does not let this service ask about tokens"
                raise Unavailable(msg, "bind its service account to the cluster role `system:auth-delegator`")
            if not answer.is_success:
                msg = f"the cluster's API server answered {answer.status_code}, and could not say whose the token is"
                raise Unavailable(msg, "try again")
            status = answer.json().get("status")
        except (OSError, httpx.HTTPError, ValueError, AttributeError) as error:
            # Nothing of the error but its kind: it must not tell a token.
            msg = f"the cluster's API server could not say whose the token is: {type(error).__name__}"
            raise Unavailable(msg, "try again") from None
        return status if isinstance(status, dict) else {}


def _pattern(subject: Subject) -> re.Pattern[str]:
    return re.compile(re.escape(subject.subject).replace(r"\*", "[^/]*"))
