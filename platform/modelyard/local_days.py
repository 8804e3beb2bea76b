"""Local days as instants: the one place that knows when a day of a timezone begins.

Everything comes from Python's timezones, so that no engine's own rules matter.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from modelyard.errors import InvalidData


def local_day(moment: datetime, timezone: str) -> date:
    """The local day of an instant.

    Args:
        moment: The instant.
        timezone: A timezone of the IANA database.
    """
    return moment.astimezone(ZoneInfo(timezone)).date()


def day_start(day: date, timezone: str) -> datetime:
    """The first instant of a local day, in UTC.

    Midnight, and the first of two where clocks go back over it; where clocks skip midnight, the instant at which
    they land in the day, or after it.

    Args:
        day: The local day.
        timezone: A timezone of the IANA database.

    Raises:
        InvalidData: It is so early or so late that UTC has no date for it.
    """
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(day, time.min, zone)
    try:
        instant = midnight.astimezone(UTC)
    except OverflowError as error:
        reason = f"{day} is beyond the days that can be told in {timezone}"
        raise InvalidData(reason, f"days lie between {date.min} and {date.max}") from error
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # Clocks skip midnight: read with the offset after the skip it lies before it, with the offset before, after it.
    before, after = midnight.replace(fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def next_day_start(now: datetime, timezone: str) -> datetime:
    """The first start of a local day after an instant, in UTC.

    Args:
        now: The instant.
        timezone: A timezone of the IANA database.
    """
    today = local_day(now, timezone)
    # Clocks that go back over midnight repeat part of a day whose successor began already: the one after it is next.
    return min(start for days in (1, 2) if (start := day_start(today + timedelta(days=days), timezone)) > now)
