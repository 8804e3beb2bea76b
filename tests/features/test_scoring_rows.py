"""The rows that a model scores are its population on that day, with what training would have seen of them."""

from datetime import date
from typing import Any

import pytest

from modelyard.config.definitions import ModelDefinition
from modelyard.errors import InvalidData, NotFound
from modelyard.features.materialise import materialise
from modelyard.features.scoring_rows import scoring_rows
from tests.features.builders import Place, feature_set, model, pins, source, utc

PEOPLE = source(
    "people", {"who": "string", "joined": "timestamp", "active": "boolean", "age": "integer"}, timestamp="joined"
)
EVENTS = source("events", {"who": "string", "at": "timestamp", "amount": "double"}, timestamp="at")
STATIC = source("shops", {"who": "string", "size": "double", "y": "integer"})
HISTORY = feature_set(
    "history", [EVENTS], entity="who", source="events", every="6h", timezone="Africa/Nairobi", ttl="1d",
    aggregations=[{"name": "n", "how": "count", "window": "1d"}],
)  # fmt: skip
LABELS = {"source": "events", "entity": "who", "timestamp": "at", "label": "amount"}


def scored(population: dict[str, Any], features: list[Any], **content: Any) -> ModelDefinition:
    said: dict[str, Any] = {"data": {"labels": LABELS, "features": features}, **content}
    scoring = {"schedule": "0 4 * * *", "population": population}
    return model("risk", [PEOPLE, EVENTS, STATIC], [HISTORY], scoring=scoring, **said)


@pytest.fixture
def filled(place: Place) -> Place:
    place.write(PEOPLE, [
        {"who": "b", "joined": utc("2026-01-01"), "active": True, "age": 30},
        {"who": "a", "joined": utc("2026-01-01"), "active": True, "age": 40},
        {"who": "a", "joined": utc("2026-01-05"), "active": True, "age": 41},
        {"who": "c", "joined": utc("2026-01-01"), "active": True, "age": 50},
        {"who": "c", "joined": utc("2026-01-05"), "active": False, "age": 50},
        {"who": "d", "joined": utc("2026-01-09"), "active": True, "age": 60},
        {"who": None, "joined": utc("2026-01-01"), "active": True, "age": 60},
    ])  # fmt: skip
    place.write(EVENTS, [
        {"who": "a", "at": utc("2026-01-06T20:59"), "amount": 1.0},
        {"who": "a", "at": utc("2026-01-06T21:01"), "amount": 7.0},
        {"who": "b", "at": utc("2026-01-02T10:00"), "amount": 3.0},
    ])  # fmt: skip
    place.write(STATIC, [{"who": "x", "size": 2.0, "y": 1}, {"who": "y", "size": 3.0, "y": 0}])
    return place


def rows(place: Place, definition: ModelDefinition, day: str = "2026-01-07") -> list[dict[str, Any]]:
    pinned = pins(*definition.feature_sets.values())
    with scoring_rows(
        definition, pinned, date.fromisoformat(day), engine=place.engine, datasets=place.datasets, batch=100
    ) as found:
        batches = list(found.batches)
        assert sum(len(batch) for batch in batches) == found.rows
        assert all(batch.schema.names == [*found.entity, *found.features] for batch in batches)
        return [row for batch in batches for row in batch.to_pylist()]


POPULATION = {"source": "people", "entity": "who", "where": "active"}


def test_the_population_is_joined_as_of_the_days_start_in_the_models_timezone(filled: Place) -> None:
    definition = scored(POPULATION, ["history", {"source": "people", "columns": ["age"]}], timezone="Africa/Nairobi")
    materialise(HISTORY, pins(HISTORY), [date(2026, 1, 7)], engine=filled.engine, datasets=filled.datasets)
    # 00:00 in Nairobi is 21:00 UTC: the later event is not known, d has not joined, c is no longer active.
    assert rows(filled, definition) == [{"who": "a", "n": 1, "age": 41}, {"who": "b", "n": None, "age": 30}]


def test_a_model_of_another_timezone_takes_the_instant_before_its_midnight(filled: Place) -> None:
    definition = scored(POPULATION, ["history"])
    materialise(HISTORY, pins(HISTORY), [date(2026, 1, 7)], engine=filled.engine, datasets=filled.datasets)
    assert rows(filled, definition) == [{"who": "a", "n": 1}, {"who": "b", "n": None}]


def test_the_columns_of_the_labels_table_are_of_the_entitys_latest_row(filled: Place) -> None:
    definition = scored(POPULATION, [{"source": "people"}])
    assert rows(filled, definition, "2026-01-03") == [
        {"who": "a", "active": True, "age": 40}, {"who": "b", "active": True, "age": 30},
        {"who": "c", "active": True, "age": 50},
    ]  # fmt: skip


def test_a_plain_table_is_a_population(filled: Place) -> None:
    definition = scored(
        {"source": "shops", "entity": "who", "where": "size > 1"}, [{"source": "shops"}],
        data={"labels": {"source": "shops", "entity": "who", "label": "y"}, "features": [{"source": "shops"}]},
    )  # fmt: skip
    assert rows(filled, definition) == [{"who": "x", "size": 2.0}, {"who": "y", "size": 3.0}]


def test_batches_are_bounded_and_in_order(place: Place) -> None:
    place.write(STATIC, [{"who": f"{number:05d}", "size": float(number), "y": 1} for number in range(20_000)])
    definition = scored(
        {"source": "shops", "entity": "who"}, [{"source": "shops"}],
        data={"labels": {"source": "shops", "entity": "who", "label": "y"}, "features": [{"source": "shops"}]},
    )  # fmt: skip
    with scoring_rows(
        definition, {}, date(2026, 1, 1), engine=place.engine, datasets=place.datasets, batch=2048
    ) as found:
        batches = list(found.batches)
    assert max(len(batch) for batch in batches) <= 2048
    assert [row for batch in batches for row in batch["who"].to_pylist()] == [
        f"{number:05d}" for number in range(20_000)
    ]


def test_what_is_not_published_is_named_with_the_command(filled: Place) -> None:
    definition = scored(POPULATION, ["history"], timezone="Africa/Nairobi")
    with pytest.raises(NotFound, match="`history` version 1 has no values as of 2026-01-07") as caught:
        rows(filled, definition)
    assert caught.value.hint == "modelyard features materialise history --version 1 --as-of 2026-01-07"
    materialise(
        HISTORY, pins(HISTORY), [date(2026, 1, 7)], engine=filled.engine, datasets=filled.datasets,
        now=utc("2026-01-06T22:00"),
    )  # fmt: skip
    assert len(rows(filled, definition)) == 2
    with pytest.raises(NotFound, match="was published before 2026-01-07T03:00:00"):
        rows(filled, scored(POPULATION, ["history"], timezone="Etc/GMT+4"))


def test_a_model_without_a_population_scores_nobody(filled: Place) -> None:
    definition = model("risk", [EVENTS], [HISTORY], data={"labels": LABELS, "features": ["history"]})
    with pytest.raises(InvalidData, match="has no population"):
        rows(filled, definition)
