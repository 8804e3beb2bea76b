"""History, against a naive model that keeps every row; times fall on midnights often, where mistakes hide."""

from datetime import date, datetime
from itertools import pairwise
from statistics import stdev
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.simulator.calendar import DAY, Calendar, calendar
from modelyard.simulator.history import History

BORROWERS, DAYS, STEP = 2, 45, DAY // 4


class Row(NamedTuple):
    who: int
    happened: int  # in steps since the first midnight
    delay: int
    value: int


ROWS = st.lists(
    st.builds(
        Row,
        st.integers(0, BORROWERS - 1),
        st.integers(0, DAYS * 4 - 1),
        st.sampled_from([0, 0, 0, 1, 2, 9, 28]),
        st.integers(1, 10**9),
    ),
    max_size=30,
)


def play(days: Calendar, transactions: list[Row], devices: list[Row], outcomes: list[Row], until: int) -> History:
    """Put rows in as their days pass, up to the midnight of `until`."""
    history = History(days, BORROWERS)
    for day in range(until):
        history.learn(day)
        history.begin(day)
        for rows, kind in ((transactions, "moved"), (devices, "held"), (outcomes, "ended")):
            today = [row for row in rows if row.happened // 4 == day]
            put(history, days, today, kind)
    history.learn(until)
    return history


def put(history: History, days: Calendar, rows: list[Row], kind: str) -> None:
    who, steps, delays, value = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    happened = days.instants[0] + steps * STEP
    available = happened + delays * STEP
    if kind == "moved":
        history.put_transactions(who, happened, available, value, value % 2 == 0)
    elif kind == "held":
        history.put_devices(who, happened, available, value % 2)
    else:
        history.put_outcomes(who, happened, available, value % 2)


def seen(rows: list[Row], who: int, day: int, window: int) -> list[Row]:
    """What is known of a borrower at a midnight, of so many days before it."""
    now = day * 4
    return [
        row for row in rows if row.who == who and now - 4 * window <= row.happened < now >= row.happened + row.delay
    ]


@given(ROWS, ROWS, ROWS, st.integers(0, DAYS))
def test_what_is_observed_is_what_a_naive_model_finds(
    transactions: list[Row], devices: list[Row], outcomes: list[Row], day: int
) -> None:
    # Of two devices first seen in the same second, either may count as the later one.
    devices = list({(row.who, row.happened): row for row in devices}.values())
    days = calendar(date(2026, 3, 20), DAYS, 10, "Africa/Nairobi")
    observed = play(days, transactions, devices, outcomes, day).observe(day, np.arange(BORROWERS))
    for who in range(BORROWERS):
        month = seen(transactions, who, day, 30)
        amounts_in = [row.value / 100 for row in month if row.value % 2 == 0]
        assert observed.in_30d[who] == pytest.approx(sum(amounts_in))
        assert observed.out_30d[who] == pytest.approx(sum(row.value / 100 for row in month if row.value % 2))
        assert observed.in_avg_30d[who] == pytest.approx(sum(amounts_in) / max(len(amounts_in), 1))
        spread = stdev(amounts_in) if len(amounts_in) > 1 else 0
        # A few amounts of nearly the same size lose digits when their squares are subtracted.
        assert observed.in_stddev_30d[who] == pytest.approx(spread, abs=1e-3 + 1e-7 * sum(amounts_in))
        assert observed.txn_count_30d[who] == len(month)
        assert observed.txn_count_7d[who] == len(seen(transactions, who, day, 7))
        ago = [day - row.happened / 4 for row in month]
        assert observed.days_since_last[who] == min(ago, default=30)
        held = seen(devices, who, day, 1000)
        latest = max(held, key=lambda row: row.happened, default=Row(who, 0, 0, 0))
        assert observed.is_rooted[who] == (latest.value % 2 == 1)
        assert observed.devices_30d[who] == len(seen(devices, who, day, 30))
        ended = seen(outcomes, who, day, 180)
        assert observed.defaults_180d[who] == sum(row.value % 2 for row in ended)
        assert observed.repaid_180d[who] == sum(1 - row.value % 2 for row in ended)


@pytest.mark.parametrize("timezone", ["Africa/Nairobi", "Africa/Cairo", "America/St_Johns", "Australia/Lord_Howe"])
def test_every_moment_lies_in_its_day(timezone: str) -> None:
    days = calendar(date(2026, 11, 15), 300, 3, timezone)
    lengths = {int(b - a) for a, b in pairwise(days.instants.tolist())}
    assert lengths <= {DAY, DAY - 3600, DAY + 3600, DAY - 1800, DAY + 1800}
    local = np.linspace(0, DAY - 1, 50)
    for day in range(days.days):
        for zone in ("Africa/Accra", "Asia/Kathmandu"):
            moments = days.moment(day, local, ZoneInfo(zone))
            assert (days.day_of(moments) == day).all()


@pytest.mark.parametrize(
    ("timezone", "end"),
    [
        ("Africa/Nairobi", date(2026, 7, 1)),
        ("Africa/Cairo", date(2026, 4, 27)),  # day 2 is 24 April, which begins at 1:00
    ],
)
def test_a_moment_shows_on_the_clocks_of_its_market(timezone: str, end: date) -> None:
    days = calendar(end, 5, 3, timezone)
    for zone in ("Africa/Nairobi", "Africa/Accra", "UTC"):
        (moment,) = days.moment(2, np.array([17 * 3600.0 + 90]), ZoneInfo(zone)).tolist()
        assert datetime.fromtimestamp(moment, ZoneInfo(zone)).time().isoformat() == "17:01:30"


def test_a_row_is_history_from_the_first_midnight_after_it_that_does_not_precede_its_arrival() -> None:
    days = calendar(date(2026, 7, 1), 5, 3, "Africa/Nairobi")
    midnight = int(days.instants[2])
    happened = np.array([midnight - 1, midnight - 1, midnight - 1, midnight, midnight + 1])
    available = np.array([midnight - 1, midnight, midnight + 1, midnight, midnight + 1])
    assert days.seen_from(happened, available).tolist() == [2, 2, 3, 3, 3]
