"""The end of a hand-over: the versions that a new one replaced go out of use, once it has proved itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from modelyard.datasets.names import predictions_dataset
from modelyard.local_days import day_start, local_day
from modelyard.orchestration.plan import live_intervals
from modelyard.registry.records import VersionState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.datasets.store import DatasetStore
    from modelyard.orchestration.plan import LiveInterval
    from modelyard.registry.registry import Registry


@dataclass(frozen=True)
class HandOver:
    """What became of a version's predecessors."""

    archived: tuple[int, ...] = ()
    """The versions that were archived now."""
    waiting: str = ""
    """Why the hand-over is not due yet, in words; empty where it is done."""


def hand_over(
    registry: Registry, datasets: DatasetStore, model: str, version: int, *, now: datetime | None = None
) -> HandOver:
    """Archive every version that was live before one, once that one has published a partition of its own days.

    A published partition has passed its audit. Versions that are live or will be stay. If the process dies in between,
    some predecessors are archived and the next call archives the rest; again changes nothing.

    Args:
        registry: The registry.
        datasets: Where predictions are published.
        model: The model.
        version: The version that took over.
        now: The time, for tests.

    Raises:
        NotFound: There is no such model.
        Conflict: A predecessor became live again at the same moment.
    """
    now = now or datetime.now(UTC)
    intervals = live_intervals(registry.promotions(model))
    start = _last_start(intervals, version, now)
    if start is None:
        return HandOver(waiting=f"version {version} was never live")
    day = first_day(start, registry.model(model).timezone)
    if not any(partition >= day.isoformat() for partition in datasets.partitions(predictions_dataset(model, version))):
        return HandOver(waiting=f"version {version} has published no partition from {day} on, its first day")
    replaced = [
        number
        for number in predecessors(intervals, version, now)
        if registry.version(model, number).state is VersionState.READY
    ]
    for number in replaced:
        registry.archive_version(model, number, reason=f"version {version} took over")
    return HandOver(archived=tuple(replaced))


def predecessors(intervals: Sequence[LiveInterval], version: int, now: datetime) -> tuple[int, ...]:
    """The versions that were live before a version last became live, and are neither live nor planned any more.

    Args:
        intervals: When which version is live.
        version: The version that took over.
        now: The time.
    """
    start = _last_start(intervals, version, now)
    if start is None:
        return ()
    before = {part.version for part in intervals if part.start < start}
    needed = {part.version for part in intervals if part.end is None or part.end > now}
    return tuple(sorted(before - needed - {version}))


def first_day(start: datetime, timezone: str) -> date:
    """The first day whose partition a version scores that is live from an instant on.

    Args:
        start: The instant.
        timezone: The model's timezone.
    """
    day = local_day(start, timezone)
    return day if day_start(day, timezone) >= start else day + timedelta(days=1)


def _last_start(intervals: Sequence[LiveInterval], version: int, now: datetime) -> datetime | None:
    return max((part.start for part in intervals if part.version == version and part.start <= now), default=None)
