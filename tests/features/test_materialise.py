"""Feature sets are computed, audited and published: queries, references, expressions, and what can go wrong."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelyard.errors import InvalidData
from modelyard.features.check import check_partitions, check_sources
from modelyard.features.materialise import materialise
from modelyard.features.partitions import dataset_of
from tests.features.builders import Place, days, feature_set, pins, source, utc
from tests.features.history import COUNT, DEVICES, JANUARY, TRANSACTIONS, run, simple


def test_only_what_is_missing_is_computed(filled: Place) -> None:
    told: list[int] = []
    (first,) = run(filled, simple(), days=JANUARY[:2], progress=told.append)
    assert (first.published, first.existing, first.rows, told) == (tuple(JANUARY[:2]), (), 4, [1, 1])
    (second,) = run(filled, simple())
    assert (second.published, second.existing) == (tuple(JANUARY[2:]), tuple(JANUARY[:2]))
    (third,) = run(filled, simple())
    assert third.published == ()
    (forced,) = run(filled, simple(), force=True)
    assert forced.published == tuple(JANUARY)
    manifest = filled.datasets.manifest("features/history/1", "2026-01-03")
    assert manifest is not None
    assert (manifest.number, manifest.details["features"]) == (2, {"n": "number"})
    assert manifest.details["instants"] == ["2026-01-03T00:00:00+00:00"]


def test_nothing_is_published_as_a_version_that_is_defined_otherwise(filled: Place) -> None:
    other = simple(ttl="3d")
    with pytest.raises(InvalidData, match="is not defined as version 1 of it is"):
        materialise(simple(), pins(other), JANUARY, engine=filled.engine, datasets=filled.datasets)
    assert not list(filled.datasets.partitions(dataset_of(pins(other)[other.name])))


def test_a_late_row_counts_from_the_first_instant_at_which_it_is_known(filled: Place) -> None:
    run(filled, simple())
    found = {day: {row["who"]: row["n"] for row in filled.values(simple(), day)} for day in JANUARY}
    assert list(found.values()) == [{"a": 1, "b": 1}, {"a": 1, "b": 1}, {}, {}]


def test_an_entity_has_a_row_for_as_long_as_the_ttl(filled: Place) -> None:
    definition = simple(ttl="3d")
    run(filled, definition)
    assert filled.values(definition, "2026-01-05") == [
        {"who": "a", "as_of": utc("2026-01-05"), "n": 0}, {"who": "b", "as_of": utc("2026-01-05"), "n": 0}
    ]  # fmt: skip
    assert filled.values(definition, "2026-01-06") == []


def test_a_day_on_which_nothing_is_known_is_published_empty(place: Place) -> None:
    place.write(TRANSACTIONS, [])
    (result,) = run(place, simple())
    assert (result.published, result.rows) == (tuple(JANUARY), 0)
    assert place.values(simple(), JANUARY[0]) == []


def test_expressions_use_the_features_before_them(filled: Place) -> None:
    definition = simple(
        aggregations=[*COUNT, {"name": "spent", "how": "sum", "of": "amount", "window": "2d"}],
        expressions=[{"name": "each", "sql": "spent / nullif(n, 0)"}, {"name": "much", "sql": "each > 3"},
                     {"name": "word", "sql": "case when much then 'much' else who end"}],
    )  # fmt: skip
    run(filled, definition)
    as_of = utc("2026-01-03")
    assert filled.values(definition, "2026-01-03") == [
        {"who": "a", "as_of": as_of, "n": 1, "spent": 4.0, "each": 4.0, "much": True, "word": "much"},
        {"who": "b", "as_of": as_of, "n": 1, "spent": None, "each": None, "much": None, "word": "b"},
    ]
    manifest = filled.datasets.manifest("features/history/1", "2026-01-03")
    assert manifest is not None
    kinds = {"n": "number", "spent": "number", "each": "number", "much": "boolean", "word": "category"}
    assert manifest.details["features"] == kinds


QUERY = """
{% set days = [1, 3] %}
SELECT who, arg_max(os, seen) AS os
{% for d in days %}, count(*) FILTER (seen >= {{ as_of }} - INTERVAL {{ d }} DAY) AS devices_{{ d }}d{% endfor %}
FROM {{ source('devices') }} GROUP BY who
"""


def test_a_query_sees_what_was_known_at_each_instant(filled: Place) -> None:
    definition = feature_set("devices_of", [DEVICES], query=QUERY, entity="who")
    run(filled, definition)
    assert filled.values(definition, "2026-01-04") == [
        {"who": "a", "as_of": utc("2026-01-04"), "os": "x", "devices_1d": 0, "devices_3d": 1},
        {"who": "c", "as_of": utc("2026-01-04"), "os": "z", "devices_1d": 0, "devices_3d": 1},
    ]
    assert [row["os"] for row in filled.values(definition, "2026-01-05")] == ["y", "z"]


def test_a_query_joins_aggregations_on_the_entity(filled: Place) -> None:
    definition = feature_set(
        "both", [TRANSACTIONS, DEVICES], query=QUERY, entity="who", source="transactions", ttl="1d",
        aggregations=[*COUNT, {"name": "spent", "how": "sum", "of": "amount", "window": "2d"}],
        expressions=[{"name": "per_device", "sql": "n / devices_3d"}],
    )  # fmt: skip
    run(filled, definition)
    assert filled.values(definition, "2026-01-03") == [
        {"who": "a", "as_of": utc("2026-01-03"), "n": 1, "spent": 4.0, "os": "x", "devices_1d": 0, "devices_3d": 1,
         "per_device": 1.0},
        {"who": "b", "as_of": utc("2026-01-03"), "n": 1, "spent": None, "os": None, "devices_1d": None,
         "devices_3d": None, "per_device": None},
        # The query alone knows c: a count of nothing is 0.
        {"who": "c", "as_of": utc("2026-01-03"), "n": 0, "spent": None, "os": "z", "devices_1d": 1, "devices_3d": 1,
         "per_device": 0.0},
    ]  # fmt: skip


def test_a_set_that_is_referred_to_is_computed_first_at_its_own_instants(filled: Place) -> None:
    weekly = simple(every="2d", ttl="2d")
    query = "SELECT who, n * 10 AS tens FROM {{ ref('history') }}"
    definition = feature_set("tens", [], query=query, refs=[weekly], entity="who", every="12h", ttl="1d")
    results = run(filled, definition)
    assert [result.feature_set for result in results] == ["history", "tens"]
    grid = [day for day in days("2026-01-01", "2026-01-06") if day.toordinal() % 2 == 0]
    assert results[0].published == tuple(day for day in grid if day >= JANUARY[0] - timedelta(days=1))
    for day in JANUARY:
        before = max(one for one in grid if one <= day)
        known = {row["who"]: row["n"] * 10 for row in filled.values(weekly, before)}
        found = filled.values(definition, day)
        assert {row["who"]: row["tens"] for row in found} == known
        assert len({row["as_of"] for row in found}) == (2 if known else 0)
    assert [result.published for result in run(filled, definition)] == [(), ()]


def test_values_of_a_reference_that_are_too_old_are_not_seen(filled: Place) -> None:
    old = simple(every="4d", ttl="4d")
    definition = feature_set(
        "later", [], query="SELECT who, n FROM {{ ref('history') }}", entity="who",
        refs=[old.model_copy(update={"document": old.document.model_copy(update={"ttl": timedelta(days=1)})})],
    )  # fmt: skip
    run(filled, definition)
    fresh = {day for day in JANUARY if (day.toordinal() % 4) <= 1}
    assert {day for day in JANUARY if filled.values(definition, day)} <= fresh


def test_several_entity_columns_are_one_key(place: Place) -> None:
    visits = source("visits", {"who": "integer", "shop": "integer", "at": "timestamp"}, timestamp="at")
    at = utc("2026-01-02T10:00")
    shops = [(1, 12), (11, 2), (1, 12), (1, None)]
    place.write(visits, [{"who": who, "shop": shop, "at": at} for who, shop in shops])
    definition = feature_set("shops", [visits], entity=["who", "shop"], source="visits", aggregations=COUNT)
    run(place, definition, days=JANUARY[:1])
    as_of = utc("2026-01-03")
    assert place.values(definition, "2026-01-03") == [
        {"who": 1, "shop": 12, "as_of": as_of, "n": 2}, {"who": 11, "shop": 2, "as_of": as_of, "n": 1}
    ]  # fmt: skip


def test_dates_count_from_their_midnight(place: Place) -> None:
    visits = source("visits", {"who": "string", "day": "date"}, timestamp="day")
    place.write(visits, [{"who": "a", "day": date(2026, 1, 3)}])
    definition = feature_set("visits_of", [visits], entity="who", source="visits", aggregations=COUNT)
    run(place, definition)
    assert [len(place.values(definition, day)) for day in JANUARY] == [0, 1, 1, 0]


# What can go wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT who, os FROM {{ source('devices') }}", "returns 2 rows for who 'a' as of 2026-01-05"),
        ("SELECT os FROM {{ source('devices') }}", "does not return the entity's column `who`"),
        ("SELECT who, max(seen) AS seen FROM {{ source('devices') }} GROUP BY 1", "`seen` is of type timestamp"),
        ("SELECT who, max(os) FROM {{ source('devices') }} GROUP BY 1", "a column has no name"),
        ("SELECT who, max(os) AS x, min(os) AS X FROM {{ source('devices') }} GROUP BY 1", "two of its columns"),
        ("SELECT who, 1 AS as_of FROM {{ source('devices') }}", "`as_of` cannot be the name of a feature"),
        ("SELECT who, 1 AS __x FROM {{ source('devices') }}", "`__x` cannot be the name of a feature"),
        ("SELECT who, nothing AS x FROM {{ source('devices') }}", "nothing"),
        ("SELECT who, 1 AS x FROM devices", "which is not given to it"),
        ('SELECT who, 1 AS x FROM "rows:devices"', "which is not given to it"),
        ("SELECT who, 1 AS x FROM {{ source('loans') }}", "no source `loans`"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(filled: Place, query: str, reason: str) -> None:
    definition = feature_set("devices_of", [DEVICES], query=query, entity="who")
    with pytest.raises(InvalidData) as caught:
        run(filled, definition)
    assert reason in caught.value.reason
    assert filled.datasets.partitions("features/devices_of/1") in ([], ["2026-01-03", "2026-01-04"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"aggregations": [{**COUNT[0], "where": "amnt > 1"}]}, "`n`, where: there is no column `amnt`"),
        ({"expressions": [{"name": "x", "sql": "m + 1"}]}, "`x`: there is no column `m`"),
        ({"expressions": [{"name": "x", "sql": "y"}, {"name": "y", "sql": "n"}]}, "no column `y`"),
        ({"expressions": [{"name": "n", "sql": "1"}]}, "`n` cannot be the name of a feature, or of two"),
        ({"expressions": [{"name": "x", "sql": "random()"}]}, "has another value each time"),
    ],
)
def test_what_is_wrong_with_a_definition_is_named(filled: Place, content: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidData) as caught:
        run(filled, simple(**content))
    assert "feature set `history`" in caught.value.reason
    assert reason in caught.value.reason


def test_a_query_about_another_type_of_entity_is_refused(filled: Place) -> None:
    query = "SELECT 1 AS who, count(*) AS c FROM {{ source('devices') }}"
    definition = feature_set(
        "both", [TRANSACTIONS, DEVICES], query=query, entity="who", source="transactions", aggregations=COUNT
    )
    with pytest.raises(InvalidData, match=r"string.* in the aggregations and .*integer.* in the query"):
        run(filled, definition)


def test_a_source_without_a_timestamp_has_no_windows(place: Place) -> None:
    static = source("people", {"who": "string"})
    definition = feature_set("people_of", [static], entity="who", source="people", aggregations=COUNT)
    with pytest.raises(InvalidData, match="windows need a timestamp"):
        run(place, definition)


def test_what_has_not_come_has_no_values(filled: Place) -> None:
    with pytest.raises(InvalidData, match="as of 2026-01-06: that day has not begun"):
        run(filled, simple(), now=utc("2026-01-05T12:00"))


def test_a_day_is_published_again_when_more_of_its_instants_came(filled: Place) -> None:
    hourly = simple(every="6h", ttl="1d")
    day = [date(2026, 1, 3)]
    run(filled, hourly, days=day, now=utc("2026-01-03T07:00"))
    assert {row["as_of"].hour for row in filled.values(hourly, day[0])} == {0, 6}
    (again,) = run(filled, hourly, days=day, now=utc("2026-01-03T11:00"))
    assert again.published == ()
    (later,) = run(filled, hourly, days=day, now=utc("2026-01-03T18:00"))
    assert later.published == tuple(day)
    assert {row["as_of"].hour for row in filled.values(hourly, day[0])} == {0, 6, 12, 18}


# Audits --------------------------------------------------------------------------------------------------------------


def expecting(expect: str, severity: str = "critical", **arguments: Any) -> dict[str, Any]:
    column = {"column": arguments.pop("column")} if "column" in arguments else {}
    return {"expect": expect, "severity": severity, "with": arguments, **column}


def test_a_source_that_is_not_as_expected_stops_the_work(filled: Place) -> None:
    checked = TRANSACTIONS.model_validate(
        {**TRANSACTIONS.content(), "expectations": [expecting("column_values_to_not_be_null", column="amount")]}
    )
    definition = feature_set("history", [checked], entity="who", source="transactions", aggregations=COUNT)
    with pytest.raises(InvalidData, match=r"source `transactions` is not as expected: .*1 of 3 rows"):
        run(filled, definition)
    assert filled.datasets.partitions("features/history/1") == []
    # The row without an amount does not count for these days.
    run(filled, definition, days=days("2026-01-08", "2026-01-09"))
    assert filled.datasets.partitions("features/history/1") == ["2026-01-08", "2026-01-09"]


def test_days_that_pass_are_published_and_the_others_are_named(filled: Place) -> None:
    definition = simple(expectations=[expecting("table_row_count_to_be_between", min_value=1)])
    with pytest.raises(InvalidData, match=r"feature set `history` of 2026-01-05 is not as expected: .*0 rows"):
        run(filled, definition)
    assert filled.datasets.partitions("features/history/1") == ["2026-01-03", "2026-01-04"]


def test_warnings_are_reported_and_recorded_by_day(filled: Place) -> None:
    definition = simple(
        expectations=[
            expecting("column_values_to_be_in_set", "warning", column="n", value_set=[0, 2]),
            expecting("table_row_count_to_be_between", min_value=0),
        ],
    )
    (result,) = run(filled, definition, days=JANUARY[:3])
    unexpected = [audit.results[0].unexpected for audit in result.audits]
    assert unexpected == [2, 2, 0]
    manifest = filled.datasets.manifest("features/history/1", "2026-01-03")
    assert manifest is not None
    assert [one["success"] for one in manifest.details["audit"]["results"]] == [False, True]
    # Where nothing is unexpected in all days together, each is so without being judged alone.
    (clean,) = run(filled, definition, days=days("2026-02-01", "2026-02-03"))
    assert [[one.success for one in audit.results] for audit in clean.audits] == [[True, True]] * 3


def test_checks_compare_with_what_is_usual(filled: Place) -> None:
    definition = simple(expectations=[expecting("table_row_count_to_be_between", "warning", min_value=1)])
    run(filled, definition)
    found = list(check_partitions([definition], pins(definition), filled.datasets, date(2026, 1, 6)))
    assert [(one.ok, one.rows, one.usual) for one in found] == [(True, 0, 2.0)]
    assert "warning: table_row_count_to_be_between: does not hold; found 0 rows" in found[0].detail
    (missing,) = check_partitions([definition], pins(definition), filled.datasets, date(2026, 1, 9))
    assert not missing.ok
    assert "no values as of 2026-01-09" in missing.detail
    manifest = filled.datasets.manifest("features/history/1", "2026-01-06")
    assert manifest is not None
    Path(filled.datasets.files(manifest)[0]).write_bytes(b"")
    (damaged,) = check_partitions([definition], pins(definition), filled.datasets, date(2026, 1, 6))
    assert not damaged.ok
    people = source("people", {"who": "string"})
    filled.write(people, [{"who": "a"}, {"who": "b"}])
    gone = source("gone", {"who": "string"})
    sources = check_sources([TRANSACTIONS, people, gone], filled.engine, utc("2026-01-03"))
    assert [(one.ok, one.rows, one.usual) for one in sources] == [(True, 1, 0.0), (True, 2, None), (False, 0, None)]
