"""Local days begin where clocks say, whatever they do at midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from modelyard.errors import InvalidData
from modelyard.local_days import day_start, next_day_start
from tests.day_starts import day_starts


@pytest.mark.parametrize(
    ("timezone", "day", "expected"),
    [
        ("UTC", date(2026, 11, 21), "2026-11-21T00:00:00+00:00"),
        ("Africa/Nairobi", date(2026, 11, 21), "2026-11-20T21:00:00+00:00"),
        ("Asia/Kathmandu", date(2026, 11, 21), "2026-11-20T18:15:00+00:00"),
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00:00+00:00"),  # the change comes later that day
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00:00+00:00"),  # midnight is skipped: the day begins at 1:00
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00+00:00"),  # the same
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00:00+00:00"),  # midnight comes twice: the first one
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30:00+00:00"),  # skipped from 23:30 to 0:30
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00+00:00"),  # the whole day is skipped
    ],
)
def test_a_day_begins_at_its_first_instant(timezone: str, day: date, expected: str) -> None:
    assert day_start(day, timezone) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("timezone", ["Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Europe/London"])
def test_days_begin_where_a_search_finds_them(timezone: str) -> None:
    starts = day_starts(timezone, 2026)
    for number in range(365):
        day = date(2026, 1, 1) + timedelta(days=number)
        assert day_start(day, timezone) == starts[day]


@pytest.mark.parametrize(
    ("timezone", "now", "expected"),
    [
        ("UTC", "2026-11-20T12:00+00:00", "2026-11-21T00:00+00:00"),
        ("UTC", "2026-11-20T00:00+00:00", "2026-11-21T00:00+00:00"),
        ("UTC", "2026-11-20T23:59:59.999999+00:00", "2026-11-21T00:00+00:00"),
        ("Africa/Nairobi", "2026-11-20T21:00+00:00", "2026-11-21T21:00+00:00"),
        ("Africa/Nairobi", "2026-11-20T20:59+00:00", "2026-11-20T21:00+00:00"),
        ("Africa/Cairo", "2026-04-23T12:00+00:00", "2026-04-23T22:00+00:00"),
        # Clocks go back at 0:01 to 23:01: in the second 23:30, the next day has begun once already.
        ("America/St_Johns", "2010-11-07T02:00+00:00", "2010-11-07T02:30+00:00"),
        ("America/St_Johns", "2010-11-07T03:00+00:00", "2010-11-08T03:30+00:00"),
    ],
)
def test_the_next_day_start_is_after_now(timezone: str, now: str, expected: str) -> None:
    assert next_day_start(datetime.fromisoformat(now), timezone) == datetime.fromisoformat(expected)


def test_a_day_that_utc_has_no_date_for_is_told() -> None:
    with pytest.raises(InvalidData, match="0001-01-01 is beyond the days that can be told in Africa/Nairobi"):
        day_start(date.min, "Africa/Nairobi")
    assert day_start(date.min, "UTC").date() == date.min
    assert day_start(date.max, "Africa/Nairobi").date() == date(9999, 12, 30)
