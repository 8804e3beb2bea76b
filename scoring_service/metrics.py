"""What Prometheus may ask for: requests, rows, and how the live models stand.

Counts of requests are kept here; everything else is read when it is asked for. Labels are names of routes and of known
models only, so that no caller can make new series. One more number is one more line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from modelyard.asgi.measured import route_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from modelyard.asgi import Scope
    from modelyard.scoring.live import LiveModels
    from modelyard.scoring.runtime import Runtime
    from scoring_service.workers import Workers

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The numbers of one service.

    Args:
        live: The models that are live.
        workers: The threads that predict.
    """

    def __init__(self, live: LiveModels[Runtime], workers: Workers) -> None:
        self._registry = CollectorRegistry()
        labels = ("route", "model")
        self.requests = Counter(
            "modelyard_scoring_requests", "Requests answered.", (*labels, "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "modelyard_scoring_request_seconds",
            "From the first byte of a request to the last of its answer.",
            labels,
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.rows = Counter("modelyard_scoring_rows", "Rows scored.", ("model",), registry=self._registry)
        self._registry.register(_State(live, workers))
        ProcessCollector(registry=self._registry)

    def begin(self) -> None:
        """A request came; `busy` counts those that cost something."""

    def end(self, scope: Scope, status: str, seconds: float) -> None:
        """Count and time a request that was answered."""
        # The route names the model once it is known to be one; before that it is the caller's own words.
        labels = (route_of(scope), scope.get("state", {}).get("model", ""))
        self.requests.labels(*labels, status).inc()
        self.seconds.labels(*labels).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """How the live models and the threads stand at the moment of asking."""

    def __init__(self, live: LiveModels[Runtime], workers: Workers) -> None:
        self._live = live
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        live = GaugeMetricFamily("modelyard_scoring_live_version", "The version that is live.", labels=["model"])
        served = GaugeMetricFamily("modelyard_scoring_served_version", "The version that answers.", labels=["model"])
        failures = CounterMetricFamily(
            "modelyard_scoring_load_failures", "Live versions that would not load.", labels=["model"]
        )
        for slot in self._live.slots():
            failures.add_metric([slot.model], slot.failures)
            if slot.live is not None:
                live.add_metric([slot.model], slot.live)
            if slot.served is not None:
                served.add_metric([slot.model], slot.served)
        yield from (live, served, failures)
        reached = not self._live.problem
        yield GaugeMetricFamily("modelyard_scoring_registry_up", "Whether the registry answered last time.", reached)
        yield GaugeMetricFamily("modelyard_scoring_busy", "Requests worked on or waiting.", self._workers.busy)
        yield CounterMetricFamily(
            "modelyard_scoring_refused", "Requests refused because too many waited.", self._workers.refused
        )
