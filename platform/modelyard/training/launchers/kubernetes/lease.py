"""Who leads: one controller at a time holds a Lease, and its transitions are the epoch that fences its predecessors.

A holder counts as leading until a while after the *beginning* of its last renewal, by a clock that only goes up and
that counts while the process is stopped; everybody else takes over only after he has seen the Lease unchanged for
longer than that, by his own clock. So no clock needs to be right, and no two overlap unless the kernel stops one of
them between a look and a call; then the epoch, which every change of a run carries, keeps him out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unavailable
from modelyard.training.launchers.kubernetes.api import AlreadyThere, in_namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.training.launchers.kubernetes.api import Cluster
    from modelyard.training.launchers.kubernetes.status import Object

DURATION = 15.0
"""Seconds for which a Lease that is not renewed keeps others out."""
RENEW = 10.0
"""Seconds after its last renewal for which a holder leads."""
INTERVAL = 2.0
"""Seconds between two tries to get it, or to renew it."""


class NotLeading(Unavailable):
    """Another controller leads, or may by now."""


def monotonic() -> float:
    """Seconds that only go up, also while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Observed:
    """A Lease as it was seen, and since when it has been so."""

    version: str
    at: float


class Lease:
    """One Lease, and whether this process holds it.

    Args:
        cluster: The API server.
        namespace: The controller's own namespace.
        name: The Lease.
        identity: This process; no other one ever has the same.
        clock: Seconds that only go up.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, identity: str, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._cluster = cluster
        self._collection = in_namespace("leases", namespace)
        self._path = in_namespace("leases", namespace, name)
        self._name = name
        self.identity = identity
        self._clock = clock
        self._until = 0.0
        self._is_over = False
        self._observed: Observed | None = None
        self.epoch = 0
        """Of the last time that this process led."""

    @property
    def held(self) -> bool:
        """Whether this process leads."""
        return not self._is_over and self._clock() < self._until

    def check(self) -> None:
        """Do nothing, while this process leads.

        Raises:
            NotLeading: It does not.
        """
        if not self.held:
            reason = "this controller does not lead any more"
            raise NotLeading(reason)

    def hold(self) -> bool:
        """Try once to get the Lease, or to renew it; whether this process leads.

        If it dies right after, the others wait for as long as a Lease lasts, and take over.
        """
        begun = self._clock()
        found = self._cluster.read(self._path)
        if found is None:
            return self._make(begun)
        spec = found["spec"]
        holder = spec.get("holderIdentity") or ""
        if holder == self.identity:
            return self._write(found, begun, int(spec.get("leaseTransitions") or 0))
        self._until = 0
        if holder and not self._expired(found):
            return False
        return self._write(found, begun, int(spec.get("leaseTransitions") or 0) + 1)

    def raise_to(self, epoch: int) -> bool:
        """Go beyond an epoch that a run has: the Lease was deleted since, and counted anew. Whether this one leads.

        Args:
            epoch: The greatest that was seen.
        """
        begun = self._clock()
        found = self._cluster.read(self._path)
        if found is None or found["spec"].get("holderIdentity") != self.identity:
            self._until = 0  # another one has moved the run, and rightly
            return False
        return self._write(found, begun, epoch)

    def release(self) -> None:
        """Let another one lead at once. If it can't be told, the Lease runs out by itself."""
        self._is_over = True
        found = self._cluster.read(self._path)
        if found is not None and found["spec"].get("holderIdentity") == self.identity:
            found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
            self._cluster.put(self._path, found)

    def give_up(self) -> None:
        """Lead no more from now on, whatever the Lease says: what is under way stops at its next call."""
        self._is_over = True

    def _make(self, begun: float) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name},
            "spec": {**self._spec(0), "acquireTime": _now()},
        }
        try:
            self._cluster.create(self._collection, body)
        except AlreadyThere:
            return False
        self._until, self.epoch = begun + RENEW, 1
        return True

    def _write(self, found: Object, begun: float, transitions: int) -> bool:
        is_new = found["spec"].get("holderIdentity") != self.identity
        found["spec"] |= {**self._spec(transitions), **({"acquireTime": _now()} if is_new else {})}
        if self._cluster.put(self._path, found) is None:  # somebody else was quicker
            self._until = 0
            return False
        self._until, self.epoch = begun + RENEW, transitions + 1
        return True

    def _spec(self, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(DURATION),
            "renewTime": _now(),
            "leaseTransitions": transitions,
        }

    def _expired(self, found: Object) -> bool:
        version = str(found["metadata"]["resourceVersion"])
        if self._observed is None or self._observed.version != version:
            self._observed = Observed(version, self._clock())
        lasts = float(found["spec"].get("leaseDurationSeconds") or DURATION)
        return self._clock() - self._observed.at > lasts


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
