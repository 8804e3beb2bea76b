"""Instants are counted in local days, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidData
from modelyard.features.instants import Grid
from modelyard.local_days import day_start, local_day

ZONES = ("UTC", "Africa/Nairobi", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Cairo",
         "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")  # fmt: skip
"""Among them: midnights that clocks skip or pass twice, half-hour changes, and a day that one zone left out."""

STEPS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(hours=12), timedelta(days=1),
         timedelta(days=3), timedelta(days=7))  # fmt: skip

days = st.dates(date(2005, 1, 1), date(2030, 1, 1))
moments = st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_day_is_its_local_midnight() -> None:
    assert Grid(timedelta(days=1), "Africa/Nairobi").instants(date(2026, 1, 31)) == (utc("2026-01-30T21:00"),)


def test_several_days_are_counted_from_the_first_day_of_all() -> None:
    grid = Grid(timedelta(days=7), "UTC")
    assert [day.isoformat() for day in grid.days(date(2026, 1, 1), date(2026, 1, 31))] == [
        "2026-01-04", "2026-01-11", "2026-01-18", "2026-01-25",
    ]  # fmt: skip
    assert all(day.toordinal() % 7 == 0 for day in grid.days(date(2026, 1, 1), date(2026, 1, 31)))


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_a_day_has_as_many_hours_as_clocks_give_it(timezone: str, day: date, hours: int) -> None:
    assert len(Grid(timedelta(hours=1), timezone).instants(day)) == hours


@pytest.mark.parametrize("every", [timedelta(hours=36), timedelta(hours=5), timedelta(minutes=7), timedelta(days=1.5)])
def test_anything_else_is_refused(every: timedelta) -> None:
    with pytest.raises(InvalidData, match="values cannot exist every"):
        Grid(every, "UTC")


@given(moments, st.sampled_from(ZONES), st.sampled_from(STEPS))
def test_the_instant_before_a_moment_is_the_latest_of_all(moment: datetime, timezone: str, every: timedelta) -> None:
    grid = Grid(every, timezone)
    around = grid.days(
        local_day(moment, timezone) - timedelta(days=20), local_day(moment, timezone) + timedelta(days=2)
    )
    everything = [instant for day in around for instant in grid.instants(day)]
    assert everything == sorted(set(everything))
    assert grid.at_or_before(moment) == max(instant for instant in everything if instant <= moment)


@given(days, st.sampled_from(ZONES), st.sampled_from(STEPS))
def test_a_partition_holds_the_instants_of_its_local_day(day: date, timezone: str, every: timedelta) -> None:
    grid = Grid(every, timezone)
    for instant in grid.instants(day):
        assert instant.tzinfo is UTC
        assert instant.astimezone(ZoneInfo(timezone)).date() == day
        assert grid.day(instant) == day
        assert day_start(day, timezone) <= instant < day_start(day + timedelta(days=1), timezone)
        assert grid.at_or_before(instant) == instant


@given(moments, st.timedeltas(timedelta(0), timedelta(days=15)), st.sampled_from(ZONES), st.sampled_from(STEPS))
def test_between_is_every_instant_from_the_one_before(
    start: datetime, length: timedelta, timezone: str, every: timedelta
) -> None:
    grid = Grid(every, timezone)
    found = list(grid.between(start, start + length))
    assert found[0] == grid.at_or_before(start)
    assert found[-1] == grid.at_or_before(start + length)
    assert found == sorted(set(found))
    for day in grid.days_of(found):
        assert {one for one in grid.instants(day) if found[0] <= one <= found[-1]} <= set(found)
