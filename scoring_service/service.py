"""What the routes stand on, put together: live models, the thread that keeps them current, the threads that predict."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from modelyard.errors import InvalidData, NotFound
from modelyard.scoring.live import LiveModels
from modelyard.scoring.loading import load_runtime
from modelyard.scoring.lookup import Partitions
from scoring_service.metrics import Metrics
from scoring_service.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.registry import Registry
    from modelyard.scoring.runtime import Runtime

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """What one service takes on."""

    body: int = 16 << 20
    """The most bytes of a request's body."""
    body_seconds: float = 30
    """The longest that a body may take to arrive."""
    threads: int = 2
    """Requests that are worked on at the same time; there is no use in more than there are cores."""
    queue: int = 64
    """Requests that may wait; the next one is refused at once."""
    refresh_seconds: float = 1
    """Between two looks at the registry and the clock."""


class Service:
    """Scoring over HTTP, without the HTTP.

    Args:
        registry: Where versions are registered and promoted.
        datasets: Where features are published.
        cache: A folder for files that were downloaded.
        allow_bundles: Whether project code that versions were trained with may be imported.
        limits: What it takes on.
        clock: The time.
    """

    def __init__(
        self,
        registry: Registry,
        datasets: DatasetStore,
        cache: Path,
        *,
        allow_bundles: bool = False,
        limits: Limits = Limits(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.live: LiveModels[Runtime] = LiveModels(registry, self._load)
        self._registry = registry
        self.limits = limits
        self.clock = clock
        self.workers = Workers(limits.threads, limits.queue)
        self.metrics = Metrics(self.live, self.workers)
        self._load_version = partial(load_runtime, registry, cache=cache, allow_bundles=allow_bundles)
        self._partitions = Partitions(datasets)
        self._started = False
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    @property
    def started(self) -> bool:
        """Whether it has once loaded what was live. That stays so: a model that is new, or broken, stops no other."""
        self._started = self._started or self.live.tried
        return self._started

    def start(self) -> None:
        """Begin to load what is live, and to follow it."""
        self._watcher.start()

    def stop(self) -> None:
        """Finish the requests that are worked on, and end the threads."""
        self._ended.set()
        self.workers.close()
        self._watcher.join()

    def refresh(self) -> None:
        """Bring models and features to what is live and published now."""
        self.live.refresh(self.clock())
        in_use = [pinned for runtime in self.live.loaded() for pinned in runtime.pinned]
        self._partitions.keep(in_use)
        self._partitions.load(in_use, self.clock())

    async def team_of(self, model: str) -> str | None:
        """The team that owns a model; None where there is no such model.

        Raises:
            Unavailable: It is not loaded, and the registry does not answer.
        """
        loaded = self.live.loaded_of(model)
        if loaded is not None:
            return loaded.team
        try:
            return (await asyncio.to_thread(self._registry.model, model)).team
        except (NotFound, InvalidData):
            return None

    def _load(self, model: str, number: int) -> Runtime:
        runtime = self._load_version(model, number, partitions=self._partitions)
        # Before it takes over: its first request may be for an entity.
        self._partitions.load(runtime.pinned, self.clock())
        return runtime

    def _watch(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:  # noqa: BLE001 - what is loaded answers on, and the next look may succeed
                _log.exception("refresh failed")
            if self._ended.wait(self.limits.refresh_seconds):
                return
