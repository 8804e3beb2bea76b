"""Plans: which version scores which day, and with which commands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import Conflict
from modelyard.orchestration.plan import (
    ARCHIVED,
    NEVER_LIVE,
    UNSCHEDULED,
    DagPlan,
    LiveInterval,
    NoDag,
    live_intervals,
    plan_dag,
)
from tests.orchestration.yard import MIDNIGHT, NOON, add_live, add_version, apply, plan
from tests.registries import Clock, open_registry

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.registry import Registry

DAY = timedelta(days=1)


def planned(registry: Registry, model: str) -> DagPlan | NoDag:
    def feature_sets_of(number: int) -> dict[str, int]:
        return {pin.name: pin.version for pin in registry.version(model, number).pins.feature_sets}

    return plan_dag(registry.model(model), registry.promotions(model), feature_sets_of)


def found(registry: Registry, model: str) -> DagPlan:
    result = planned(registry, model)
    assert isinstance(result, DagPlan)
    return result


def test_a_promoted_version_has_a_dag_that_starts_at_the_next_midnight(registry: LocalRegistry) -> None:
    model = apply(registry, "ke_loan_default")
    number = add_live(registry, model, {"borrower_history": 3, "device_profile": 1})
    dag = found(registry, model)
    assert (dag.dag_id, dag.schedule, dag.timezone) == (
        "modelyard_score_ke_loan_default",
        "0 4 * * *",
        "Africa/Nairobi",
    )
    assert (dag.project, dag.team) == ("tests", "credit")
    assert dag.start == MIDNIGHT
    assert dag.intervals == (LiveInterval(MIDNIGHT, None, number),)
    assert dag.feature_sets == {number: {"borrower_history": 3, "device_profile": 1}}


def test_a_model_without_scoring_has_no_dag(registry: LocalRegistry) -> None:
    model = apply(registry, "ke_loan_default", scoring=None)
    add_live(registry, model)
    assert planned(registry, model) == UNSCHEDULED


def test_a_model_has_no_dag_before_its_first_promotion_and_after_it_is_archived(registry: LocalRegistry) -> None:
    model = apply(registry, "ke_loan_default")
    number = add_version(registry, model)
    assert planned(registry, model) == NEVER_LIVE
    registry.promote(model, number)
    assert isinstance(planned(registry, model), DagPlan)
    registry.archive_model(model)
    assert planned(registry, model) == ARCHIVED


def test_a_model_that_comes_back_has_no_dag_until_something_is_live_and_then_keeps_its_start(
    registry: LocalRegistry, clock: Clock
) -> None:
    model = apply(registry, "ke_loan_default")
    number = add_live(registry, model)
    clock.pass_(days=3)
    registry.archive_model(model)
    apply(registry, model, description="It is back.")
    assert planned(registry, model) == NEVER_LIVE
    clock.pass_(days=1)
    registry.promote(model, number)
    dag = found(registry, model)
    assert dag.start == MIDNIGHT
    gap = [dag.version_on(date(2026, 7, day)) for day in range(1, 8)]
    assert gap == [None, number, number, number, None, number, number]


def test_a_handover_happens_at_midnight_and_the_start_stays(registry: LocalRegistry, clock: Clock) -> None:
    model = apply(registry, "ke_loan_default")
    first = add_live(registry, model, {"borrower_history": 1})
    clock.pass_(days=9)
    second = add_live(registry, model, {"borrower_history": 2, "device_profile": 1})
    dag = found(registry, model)
    assert dag.start == MIDNIGHT
    assert [dag.version_on(date(2026, 7, day)) for day in (1, 2, 10, 11, 12)] == [None, first, first, second, second]
    assert [step.name for step in dag.steps] == [
        "materialise_borrower_history", "materialise_device_profile", "score", "hand_over",
    ]  # fmt: skip


def test_a_rollback_counts_from_the_next_partition_on(registry: LocalRegistry, clock: Clock) -> None:
    model = apply(registry, "ke_loan_default")
    first = add_live(registry, model)
    clock.pass_(days=1)
    second = add_live(registry, model)
    clock.pass_(days=1)
    registry.rollback(model)
    assert [found(registry, model).version_on(date(2026, 7, day)) for day in (2, 3, 4)] == [first, second, first]


def test_the_words_of_each_step_name_the_day_and_the_versions() -> None:
    dag = plan(
        intervals=((MIDNIGHT, MIDNIGHT + DAY, 1), (MIDNIGHT + DAY, None, 4)),
        feature_sets={1: {"borrower_history": 1}, 4: {"borrower_history": 2, "device_profile": 7}},
    )
    day = date(2026, 7, 3)
    assert [dag.words(step.name, day) for step in dag.steps] == [
        ("features", "materialise", "borrower_history", "--as-of", "2026-07-03T00:00:00+03:00", "--version", "2"),
        ("features", "materialise", "device_profile", "--as-of", "2026-07-03T00:00:00+03:00", "--version", "7"),
        ("score", "ke_loan_default", "--as-of", "2026-07-03", "--version", "4"),
        ("hand-over", "ke_loan_default", "--version", "4"),
    ]


def test_a_step_has_nothing_to_do_for_a_set_that_the_days_version_does_not_use_or_without_a_version() -> None:
    dag = plan(
        intervals=((MIDNIGHT, MIDNIGHT + DAY, 1), (MIDNIGHT + DAY, None, 4)),
        feature_sets={1: {"borrower_history": 1}, 4: {"device_profile": 7}},
    )
    assert dag.words("materialise_device_profile", date(2026, 7, 2)) is None
    assert dag.words("materialise_borrower_history", date(2026, 7, 3)) is None
    assert [dag.words(step.name, date(2026, 7, 1)) for step in dag.steps] == [None, None, None, None]


def test_the_score_comes_after_every_feature_set_and_before_the_handover() -> None:
    dag = plan(feature_sets={1: {"a": 1, "b": 2}})
    assert {step.name: step.after for step in dag.steps} == {
        "materialise_a": (),
        "materialise_b": (),
        "score": ("materialise_a", "materialise_b"),
        "hand_over": ("score",),
    }
    assert [step.name for step in dag.steps if step.runs_after_skipped] == ["score"]


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2026-07-01T20:59:59+00:00", "2026-07-01"), ("2026-07-01T21:00:00+00:00", "2026-07-02")],
)
def test_a_runs_day_is_the_one_where_the_model_is(instant: str, day: str) -> None:
    assert plan().day_of(datetime.fromisoformat(instant)) == date.fromisoformat(day)


ZONES = ("Africa/Nairobi", "Europe/Berlin", "America/New_York", "Africa/Cairo")

actions = st.lists(
    st.tuples(
        st.sampled_from(["promote", "later", "rollback", "archive"]),
        st.integers(1, 3),
        st.integers(0, 60 * 24 * 3).map(lambda minutes: timedelta(minutes=minutes)),
    ),
    min_size=1,
    max_size=7,
)


def lived(registry: LocalRegistry, clock: Clock, model: str, history: list[tuple[str, int, timedelta]]) -> None:
    """Do what a history says; what the registry's rules refuse does not happen."""
    for action, number, pause in history:
        clock.pass_(seconds=pause.total_seconds())
        try:
            match action:
                case "promote":
                    registry.promote(model, number)
                case "later":
                    registry.promote(model, number, live_from=clock.now + pause)
                case "rollback":
                    registry.rollback(model)
                case _:
                    registry.archive_model(model)
                    apply(registry, model, timezone=registry.model(model).timezone)
        except Conflict:
            continue


# Around the weekends on which these zones change their clocks.
starts = st.sampled_from([datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 23, tzinfo=UTC), NOON])


@settings(max_examples=40)
@given(history=actions, start=starts, zone=st.sampled_from(ZONES))
def test_intervals_say_what_the_registry_says(
    history: list[tuple[str, int, timedelta]], start: datetime, zone: str
) -> None:
    clock = Clock(start)
    with TemporaryDirectory() as home:
        registry = open_registry(Path(home), clock)
        model = apply(registry, "ke_loan_default", timezone=zone)
        for _ in range(3):
            add_version(registry, model)
        lived(registry, clock, model, history)
        intervals = live_intervals(registry.promotions(model))
        edges = {edge for part in intervals for edge in (part.start, part.end) if edge} | {start, clock.now}
        second = timedelta(seconds=1)
        for instant in (edge + shift for edge in edges for shift in (-second, timedelta(), second)):
            live = registry.live(model, instant)
            named = [part.version for part in intervals if instant in part]
            assert named == ([] if live is None else [live.number])
        dag = planned(registry, model)
        goes_on = registry.live(model, max(edges) + second) is not None
        assert isinstance(dag, DagPlan) == goes_on
        if isinstance(dag, DagPlan):
            assert (dag.start, dag.intervals) == (intervals[0].start, intervals)
            assert registry.live(model, dag.start - second) is None
