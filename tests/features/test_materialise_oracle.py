"""Values are those of a naive reading of the rules, a day at a time or a range at once."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.config.definitions import FeatureSetDefinition
from modelyard.config.kinds.base import format_duration
from modelyard.features import materialise as module
from modelyard.features.materialise import materialise
from tests.features.builders import Place, feature_set, pins, source
from tests.features.oracle import AGGREGATES, Row, assert_equal, instants, values_on

COLUMNS = {
    "who": "string",
    "at": "timestamp",
    "known": "timestamp",
    "amount": "double",
    "times": "integer",
    "kind": "string",
}
TRANSACTIONS = source("transactions", COLUMNS, timestamp="at", available="known")
FIRST, LAST = date(2026, 3, 26), date(2026, 3, 31)  # around a change of clocks in Europe
ZONES = ("UTC", "Africa/Nairobi", "Europe/Berlin")
STEPS = (timedelta(hours=6), timedelta(days=1), timedelta(days=2))
WINDOWS = (timedelta(hours=5), timedelta(days=1), timedelta(days=3), timedelta(days=7))

OLDEST = datetime(2026, 3, 18, tzinfo=UTC)
# Whole hours, so that rows often share a moment, or fall on an instant.
moments = st.integers(0, 14 * 24).map(lambda hours: OLDEST + timedelta(hours=hours))
lateness = st.sampled_from(
    [timedelta(0), timedelta(0), timedelta(hours=1), timedelta(hours=30), timedelta(days=4), None]
)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    at = draw(st.one_of(moments, moments, moments, st.none()))
    late = draw(lateness)
    return {
        "who": draw(st.sampled_from(["a", "b", "c", None])),
        "at": at,
        "known": None if late is None else (at or OLDEST) + late,
        "amount": draw(st.none() | st.integers(-50, 50).map(lambda number: number / 4)),
        "times": draw(st.none() | st.integers(-5, 5)),
        "kind": draw(st.sampled_from(["in", "out", None])),
    }


@st.composite
def feature_sets(draw: st.DrawFn) -> FeatureSetDefinition:
    every = draw(st.sampled_from(STEPS))
    aggregations = [{"name": "n", "how": "count", "window": format_duration(draw(st.sampled_from(WINDOWS)))}]
    chosen = draw(st.lists(st.sampled_from(sorted(AGGREGATES)), min_size=1, max_size=5, unique=True))
    for how in chosen:
        of = draw(st.sampled_from(["amount", "times"]))
        one = {"name": f"{how}_{of}", "how": how, "of": of, "window": format_duration(draw(st.sampled_from(WINDOWS)))}
        aggregations.append(one | ({"where": "kind = 'in'"} if draw(st.booleans()) else {}))
    return feature_set(
        "history", [TRANSACTIONS], entity="who", source="transactions", every=format_duration(every),
        timezone=draw(st.sampled_from(ZONES)), ttl=format_duration(max(every, draw(st.sampled_from(WINDOWS)))),
        aggregations=aggregations,
    )  # fmt: skip


@given(st.lists(rows(), max_size=25), feature_sets(), st.sampled_from([1, 7, 1000]))
@settings(max_examples=20)
def test_a_range_and_its_days_are_what_the_rules_say(
    data: list[Row], definition: FeatureSetDefinition, rows_a_pass: int
) -> None:
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_A_PASS", rows_a_pass)
        place = Place(Path(folder))
        place.write(TRANSACTIONS, data)
        materialise(definition, pins(definition), days, engine=place.engine, datasets=place.datasets)
        for day in days:
            if instants(day, definition.document.every, definition.timezone):
                assert_equal(place.values(definition, day), values_on(definition, data, day), "who", "as_of")
        some_day = next(day for day in days if instants(day, definition.document.every, definition.timezone))
        as_of_a_range = place.values(definition, some_day)
        materialise(definition, pins(definition), [some_day], engine=place.engine, datasets=place.datasets, force=True)
        assert_equal(place.values(definition, some_day), as_of_a_range, "who", "as_of")
