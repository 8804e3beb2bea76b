"""Training sets hold what a naive reading of the rules gives: nothing from the future, nothing that came late."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
from modelyard.config.kinds.base import format_duration
from modelyard.features.training_set import build_training_set
from modelyard.registry.run_spec import TrainingSetRequest
from tests.features.builders import Place, feature_set, model, pins, source
from tests.features.oracle import Row, assert_equal, instants, values_at

TRANSACTIONS = source(
    "transactions", {"who": "string", "at": "timestamp", "known": "timestamp", "amount": "double", "kind": "string"},
    timestamp="at", available="known",
)  # fmt: skip
LOANS = source(
    "loans", {"who": "string", "at": "timestamp", "known": "timestamp", "y": "integer", "principal": "double"},
    timestamp="at", available="known",
)  # fmt: skip
PROFILES = source(
    "profiles", {"who": "string", "seen": "timestamp", "learnt": "timestamp", "score": "double", "os": "string"},
    timestamp="seen", available="learnt",
)  # fmt: skip
GRADES = source("grades", {"who": "string", "grade": "integer"})

START = datetime(2026, 3, 27, tzinfo=UTC)
AS_OF = START + timedelta(days=5)
ZONES = ("UTC", "Africa/Nairobi", "Europe/Berlin", "America/New_York")

moments = st.integers(-24, 5 * 24 + 12).map(lambda hours: START + timedelta(hours=hours))
people = st.sampled_from(["a", "b", "c", "d", None])
lateness = st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=7), timedelta(days=2), None])
numbers = st.none() | st.integers(-8, 8).map(lambda number: number / 2)


def later(at: datetime | None, late: timedelta | None) -> datetime | None:
    return None if late is None else (at or START) + late


@st.composite
def transactions(draw: st.DrawFn) -> Row:
    at = draw(moments | st.none())
    return {"who": draw(people), "at": at, "known": later(at, draw(lateness)), "amount": draw(numbers),
            "kind": draw(st.sampled_from(["in", "out"]))}  # fmt: skip


@st.composite
def loans(draw: st.DrawFn) -> Row:
    at = draw(moments)
    return {"who": draw(people), "at": at, "known": later(at, draw(lateness)), "y": draw(st.sampled_from([0, 1, None])),
            "principal": draw(numbers)}  # fmt: skip


@st.composite
def profiles(draw: st.DrawFn) -> Row:
    seen = draw(moments | st.none())
    return {"who": draw(people), "seen": seen, "learnt": later(seen, draw(lateness)), "score": draw(numbers),
            "os": draw(st.sampled_from(["x", "y", None]))}  # fmt: skip


@st.composite
def models(draw: st.DrawFn) -> ModelDefinition:
    every = draw(st.sampled_from([timedelta(hours=6), timedelta(days=1), timedelta(days=2)]))
    ttl = draw(st.sampled_from([every, every * 2, timedelta(days=4)]))
    history = feature_set(
        "history", [TRANSACTIONS], entity="who", source="transactions", every=format_duration(every),
        ttl=format_duration(max(every, ttl)), timezone=draw(st.sampled_from(ZONES)),
        aggregations=[{"name": "n", "how": "count", "window": "2d"},
                      {"name": "spent", "how": "sum", "of": "amount", "window": "3d", "where": "kind = 'in'"},
                      {"name": "last_amount", "how": "last", "of": "amount", "window": "3d"}],
    )  # fmt: skip
    data: dict[str, Any] = {
        "labels": {"source": "loans", "entity": "who", "timestamp": "at", "label": "y",
                   **({"delay": "1d"} if draw(st.booleans()) else {}),
                   **({"where": "principal > 0"} if draw(st.booleans()) else {})},
        "features": ["history", {"source": "loans", "columns": ["principal"]}, {"source": "profiles"},
                     {"source": "grades"}],
        **({"from": "2026-03-28"} if draw(st.booleans()) else {}),
    }  # fmt: skip
    return model("risk", [LOANS, PROFILES, GRADES], [history], data=data, timezone=draw(st.sampled_from(ZONES)))


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def grid_row(history: FeatureSetDefinition, data: list[Row], who: str | None, at: datetime) -> Row:
    """The values at the latest instant at or before a moment, if that is young enough."""
    nothing = dict.fromkeys(("n", "spent", "last_amount"))
    around = [at.date() + timedelta(days=number) for number in range(-9, 2)]
    known = [one for day in around for one in instants(day, history.document.every, history.timezone) if one <= at]
    if at - max(known) > history.document.ttl:
        return nothing
    found = [row for row in values_at(history, data, max(known)) if row["who"] == who]
    return {name: found[0][name] for name in nothing} if found else nothing


def profile(data: list[Row], who: str | None, at: datetime) -> Row:
    """The latest of the rows that are known at a moment."""
    known = [
        (row["seen"], row["learnt"], place, row)
        for place, row in enumerate(data)
        if who is not None and row["who"] == who and row["seen"] and row["learnt"]
        and row["seen"] < at and row["learnt"] <= at
    ]  # fmt: skip
    latest = max(known)[-1] if known else {"score": None, "os": None}
    return {"score": latest["score"], "os": latest["os"]}


def expected(
    definition: ModelDefinition,
    to: date,
    loans: list[Row],
    transactions: list[Row],
    profiles: list[Row],
    grades: list[Row],
) -> list[Row]:
    data, found = definition.document.data, []
    for place, loan in enumerate(loans):
        at = loan["at"]
        if loan["y"] is None or loan["known"] is None or loan["known"] > AS_OF:
            continue
        if at + (data.labels.delay or timedelta(0)) > AS_OF or at >= midnight(to, definition.timezone):
            continue
        if data.from_ is not None and at < midnight(data.from_, definition.timezone):
            continue
        if data.labels.where is not None and not (loan["principal"] is not None and loan["principal"] > 0):
            continue
        row = {"who": loan["who"], "__label": loan["y"], "__time": at}
        row |= grid_row(definition.feature_sets["history"], transactions, loan["who"], at)
        row |= {"principal": loan["principal"]} | profile(profiles, loan["who"], at)
        who = loan["who"]
        row["grade"] = next((one["grade"] for one in grades if who is not None and one["who"] == who), None)
        found.append(((at, loan["who"] is None, loan["who"] or "", place), row))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


@given(
    models(),
    st.lists(loans(), min_size=1, max_size=12),
    st.lists(transactions(), max_size=20),
    st.lists(profiles(), max_size=12),
    st.lists(people, max_size=4, unique=True),
)
@settings(max_examples=30)
def test_labels_are_joined_with_what_was_known_at_their_time(
    definition: ModelDefinition,
    loan_rows: list[Row],
    transaction_rows: list[Row],
    profile_rows: list[Row],
    graded: list[str | None],
) -> None:
    to = date(2026, 3, 31)
    sure = {
        "who": "a",
        "at": START + timedelta(hours=30),
        "known": START + timedelta(hours=30),
        "y": 1,
        "principal": 2.0,
    }
    loan_rows = [*loan_rows, sure]
    grades = [{"who": who, "grade": number} for number, who in enumerate(graded)]
    with TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for one, rows in (
            (LOANS, loan_rows),
            (TRANSACTIONS, transaction_rows),
            (PROFILES, profile_rows),
            (GRADES, grades),
        ):
            place.write(one, rows)
        pinned = pins(*definition.feature_sets.values())
        request = TrainingSetRequest(definition=definition, as_of=AS_OF, to=to, feature_sets=tuple(pinned.values()))
        manifest = build_training_set(request, engine=place.engine, datasets=place.datasets)
        wanted = expected(definition, to, loan_rows, transaction_rows, profile_rows, grades)
        assert_equal(place.rows(manifest), wanted, "who", "__time")
