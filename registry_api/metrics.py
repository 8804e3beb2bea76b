"""What Prometheus reads: for each route the rate of requests, their errors, and how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelyard.asgi.measured import method_of, route_of

if TYPE_CHECKING:
    from modelyard.asgi import Scope

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
"""Seconds: reads take less than a millisecond, and completing a version of gigabytes takes many seconds."""


class Metrics:
    """The service's own figures, apart from those of other services in the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "modelyard_registry_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "modelyard_registry_request_seconds",
            "Time until a request was answered.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "modelyard_registry_requests_in_flight", "Requests not answered yet.", registry=self.registry
        )

    def begin(self) -> None:
        """Count a request that came."""
        self.in_flight.inc()

    def end(self, scope: Scope, status: str, seconds: float) -> None:
        """Count and time a request that was answered."""
        self.in_flight.dec()
        method, route = method_of(scope), route_of(scope)
        self.requests.labels(method, route, status).inc()
        self.seconds.labels(method, route).observe(seconds)
