"""Calls to the API server: each with a timeout, retried, and answered in plain JSON and our errors.

The SDK's models are left aside: what is sent and read is plain data, which no version of the SDK changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelyard.errors import Conflict, InvalidData, ModelyardError, Unavailable, UsageError
from modelyard.retries import Passing, retried
from modelyard.training.launchers.launcher import NoRoom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import ApiClient

    from modelyard.training.launchers.kubernetes.status import Object

TIMEOUT = 5.0
"""Seconds for one answer."""
DEADLINE = 15.0
"""Seconds until a call that keeps failing in passing is given up."""
LEASE_TIMEOUT, LEASE_DEADLINE = 3.0, 4.0
"""The same for a Lease: it is renewed again before it runs out."""
PAGE = 500
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CONNECTIONS = 8
_LISTS = 3  # a list whose pages were taken away half-way begins anew, so often
_NOT_FOUND, _CONFLICT, _GONE, _TOO_MANY, _SERVER = 404, 409, 410, 429, 500
_FORBIDDEN, _UNAUTHORIZED = 403, 401


class AlreadyThere(Conflict):
    """Something has the name already."""


class Refused(InvalidData):
    """The API server does not do it, and would not if it were asked again."""

    def __init__(self, reason: str, hint: str = "", *, status: int = 0) -> None:
        super().__init__(reason, hint)
        self.status = status


class _Passing(Passing):
    """A failure of the API server's that may be gone at the next try."""

    reached: bool = True
    """Whether the request may have been done all the same."""


def load_client(kubeconfig: Path | None = None) -> ApiClient:
    """A client of the API server: of the pod's own cluster, or as a kubeconfig says.

    Args:
        kubeconfig: The file; the pod's own account, else the usual places, unless said.

    Raises:
        UsageError: There is no cluster to be found.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        if kubeconfig is not None:
            config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        else:
            try:
                config.load_incluster_config(client_configuration=configuration)
            except config.ConfigException:
                config.load_kube_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        reason = f"there is no cluster to be found: {error}"
        raise UsageError(reason, "set KUBECONFIG, or run this in a pod") from error
    configuration.retries = False  # retries are made in one layer, and that is ours
    configuration.connection_pool_maxsize = _CONNECTIONS
    return client.ApiClient(configuration)


def own_namespace() -> str:
    """The namespace of the pod that this process is in; empty outside of one."""
    try:
        return _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


class Cluster:
    """The API server, as the launcher and the lease see it.

    Args:
        client: The SDK's client.
        timeout: Seconds for one answer.
        deadline: Seconds until a call that keeps failing in passing is given up.
    """

    def __init__(self, client: ApiClient, *, timeout: float = TIMEOUT, deadline: float = DEADLINE) -> None:
        self._client = client
        self._timeout = timeout
        self._deadline = deadline

    def list(self, path: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """Every object of a collection, as of one moment, page by page.

        Args:
            path: The collection.
            labels: A label selector.
            fields: A field selector.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": PAGE}
        for last in range(_LISTS, 0, -1):
            found: list[Object] = []
            token = ""
            try:
                while True:
                    page = json.loads(self._retried("GET", path, query={**query, "continue": token}))
                    found += page.get("items") or ()
                    token = page.get("metadata", {}).get("continue", "")
                    if not token:
                        return found
            except Refused as error:
                if error.status != _GONE or last == 1:  # 410: the pages of that moment are gone
                    raise
        raise AssertionError

    def read(self, path: str) -> Object | None:
        """An object; None where there is none."""
        try:
            found: Object = json.loads(self._retried("GET", path))
        except Refused as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return found

    def create(self, path: str, body: Object, *, readable: bool = True) -> Object:
        """Make an object. A request whose answer did not come is not sent again before a look at what it did.

        Args:
            path: The collection.
            body: The object.
            readable: Whether it may be looked at; of what may not, the name alone tells that it is there.

        Raises:
            AlreadyThere: Something has its name; it may be what an earlier try of this call has made.
            InvalidData: The API server does not accept it.
            NoRoom: A quota is used up.
        """
        unsure = False

        def attempt() -> bytes:
            nonlocal unsure
            if unsure and self.read(f"{path}/{body['metadata']['name']}") is not None:
                reason = f"`{body['metadata']['name']}` is there"
                raise AlreadyThere(reason)
            try:
                return self._call("POST", path, body=body)
            except _Passing as error:
                unsure = unsure or (readable and error.reached)
                raise

        try:
            made: Object = json.loads(retried(attempt, deadline=self._deadline))
        except Refused as error:
            raise _meaning(error, body) from error
        return made

    def put(self, path: str, body: Object) -> Object | None:
        """Replace an object, if it is still as it was read; None where it is not.

        One try, as somebody else is waiting for the same: whoever renews a lease comes again.
        """
        try:
            made: Object = json.loads(self._call("PUT", path, body=body))
        except Refused as error:
            if error.status in (_CONFLICT, _NOT_FOUND):
                return None
            raise
        return made

    def patch(self, path: str, body: Object, *, version: str) -> None:
        """Change an object, if it is still as it was read; one that is not, or is gone, is no error.

        Args:
            path: The object.
            body: What of it becomes another.
            version: Its `resourceVersion`, as it was read; an object that has the name since has another one.
        """
        conditioned = {**body, "metadata": {**body.get("metadata", {}), "resourceVersion": version}}
        try:
            self._retried("PATCH", path, body=conditioned)
        except Refused as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):
                raise

    def delete(self, path: str, *, uid: str) -> None:
        """Remove an object and, in the background, what it owns; one that is gone, or is another one, is no error.

        Args:
            path: The object.
            uid: The UID that it must have.
        """
        # Without a policy its pods would be left behind.
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            self._retried("DELETE", path, body=options)
        except Refused as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):
                raise

    def text(self, path: str, query: Mapping[str, Any]) -> bytes:
        """What is no JSON: a log. Empty where there is none yet."""
        try:
            return self._retried("GET", path, query=query)
        except Refused:
            return b""

    def _retried(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> bytes:
        return retried(lambda: self._call(method, path, query=query, body=body), deadline=self._deadline)

    def _call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> bytes:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError, NewConnectionError

        headers = {"Accept": "application/json, */*"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        said = [(name, value) for name, value in (query or {}).items() if value not in ("", None)]
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=said,
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=self._timeout,
            )
            content: bytes = answer.data
        except ApiException as error:
            raise _translated(error, method, path) from error
        except HTTPError as error:
            reason = f"the API server does not answer: {type(error).__name__}"
            passing = _Passing(reason)
            passing.reached = not isinstance(error, NewConnectionError)
            raise passing from error
        return content


def in_namespace(kind: str, namespace: str, name: str = "") -> str:
    """The path of a collection, or of an object in it.

    Args:
        kind: `jobs`, `pods`, `events`, `secrets` or `leases`.
        namespace: The namespace.
        name: The object.
    """
    groups = {"jobs": "/apis/batch/v1", "leases": "/apis/coordination.k8s.io/v1"}
    path = f"{groups.get(kind, '/api/v1')}/namespaces/{quote(namespace, safe='')}/{kind}"
    return f"{path}/{quote(name, safe='')}" if name else path


def _translated(error: Any, method: str, path: str) -> ModelyardError:
    status = int(error.status or 0)
    message = _message(error)
    if status in (0, _TOO_MANY) or status >= _SERVER:
        passing = _Passing(f"the API server answers {status}: {message}")
        passing.retry_after = _retry_after(error)
        passing.reached = status != _TOO_MANY
        return passing
    if status == _UNAUTHORIZED:
        return Unavailable("the API server does not know who asks: its token is refused")
    return Refused(f"the API server refuses to {method} {path}: {message}", status=status)


def _meaning(error: Refused, body: Object) -> ModelyardError:
    """What a refusal to make an object means."""
    name = body["metadata"]["name"]
    if error.status == _CONFLICT:
        return AlreadyThere(f"`{name}` is there")
    if error.status == _FORBIDDEN and "exceeded quota" in error.reason:
        return NoRoom(f"a quota of the namespace: {error.reason.rpartition('exceeded quota: ')[2]}")
    return InvalidData(error.reason, "the operator's profile and the controller's rights say what is possible")


def _message(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, TypeError, KeyError):
        return str(error.reason or error.body or "")


def _retry_after(error: Any) -> float:
    value = (error.headers or {}).get("Retry-After", "")
    return float(value) if value.isdecimal() else 0
