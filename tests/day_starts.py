"""An oracle for the starts of local days: it looks at every half hour of a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo


@cache
def day_starts(timezone: str, year: int) -> dict[date, datetime]:
    """For each local day of a year its first minute, found by looking at all of them."""
    zone = ZoneInfo(timezone)
    starts: dict[date, datetime] = {}
    minute = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    while minute < datetime(year + 1, 1, 3, tzinfo=UTC):
        starts.setdefault(minute.astimezone(zone).date(), minute)
        minute += timedelta(minutes=30)  # every change of these zones lies on a half hour
    return starts
