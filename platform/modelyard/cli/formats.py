"""How values are written for people: days, instants, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelyard.registry.records import Estimate

DAY = "%Y-%m-%d"
"""How a day is said on the command line."""


def local_time(instant: datetime | None, timezone: str = "UTC") -> str:
    """An instant as the clocks of a timezone show it, and which they are; nothing of none."""
    return "" if instant is None else instant.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M %Z")


def words(details: Mapping[str, object]) -> str:
    """What an event tells of, without what it leaves empty."""
    return ", ".join(f"{name} {value}" for name, value in details.items() if value not in ("", None))


def metrics_text(metrics: Mapping[str, Estimate], between: str = ", ") -> str:
    """Metrics by name, each with its interval where it has one."""
    return between.join(f"{name} {_estimate(estimate)}" for name, estimate in metrics.items())


def _estimate(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f} – {estimate.high:.4f})"
