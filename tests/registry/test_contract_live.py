"""What every registry promises of what is live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from modelyard.errors import Conflict, InvalidData, NotFound
from modelyard.registry.records import PromotionKind, VersionState
from tests.registries import NOON
from tests.registry.making import DAY, apply, claim_of, register

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock

MIDNIGHT = datetime(2026, 11, 20, 21, tzinfo=UTC)  # of 21 November in Nairobi


@pytest.fixture(autouse=True)
def _versions(registry: Registry, tmp_path: Path) -> None:
    apply(registry, timezone="Africa/Nairobi")
    for number in (1, 2, 3):
        register(registry, tmp_path, f"key {number}")


def live(registry: Registry, at: datetime) -> int | None:
    version = registry.live("ke", at)
    return None if version is None else version.number


def test_a_version_goes_live_at_the_next_midnight_of_its_model(registry: Registry) -> None:
    fact = registry.promote("ke", 2, reason="better")
    assert (fact.kind, fact.version, fact.live_from) == (PromotionKind.PROMOTE, 2, MIDNIGHT)
    assert (fact.sequence, fact.recorded_at, fact.recorded_by, fact.reason) == (1, NOON, "amina", "better")
    assert live(registry, MIDNIGHT - timedelta(microseconds=1)) is None
    assert live(registry, MIDNIGHT) == live(registry, MIDNIGHT + 1000 * DAY) == 2
    assert registry.promotions("ke") == (fact,)
    assert registry.model("ke").promotions == 1


def test_a_start_is_never_past(registry: Registry, clock: Clock) -> None:
    with pytest.raises(InvalidData, match="is past"):
        registry.promote("ke", 1, live_from=NOON - timedelta(microseconds=1))
    assert registry.promote("ke", 1, live_from=NOON).live_from == NOON
    clock.pass_(days=1)
    with pytest.raises(InvalidData, match="is past"):
        registry.promote("ke", 2, live_from=NOON)
    assert registry.promotions("ke")[0].version == 1


@pytest.mark.parametrize("reason", ["x" * 4001, "\ud800"])
@pytest.mark.parametrize("key", [None, "used before"])
def test_a_reason_has_a_bound(registry: Registry, reason: str, key: str | None) -> None:
    registry.promote("ke", 1, key="used before")
    with pytest.raises(InvalidData):
        registry.promote("ke", 2, reason=reason, key=key)
    with pytest.raises(InvalidData):
        registry.rollback("ke", to=2, reason=reason, key=key)


def test_instants_carry_a_timezone(registry: Registry) -> None:
    naive = datetime(2026, 12, 1)
    with pytest.raises(InvalidData, match="no timezone"):
        registry.promote("ke", 1, live_from=naive)
    with pytest.raises(InvalidData, match="no timezone"):
        registry.live("ke", naive)
    nairobi = timezone(timedelta(hours=3))
    fact = registry.promote("ke", 1, live_from=datetime(2026, 12, 1, tzinfo=nairobi))
    assert fact.live_from == datetime(2026, 11, 30, 21, tzinfo=UTC)
    assert live(registry, datetime(2026, 12, 1, tzinfo=nairobi)) == 1


def test_instants_have_an_end(registry: Registry) -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    for instant in (datetime(1, 1, 1, tzinfo=east), datetime(9999, 12, 31, 23, 59, tzinfo=west)):
        with pytest.raises(InvalidData, match="beyond"):
            registry.live("ke", instant)
    assert live(registry, datetime.max.replace(tzinfo=UTC)) is None
    assert live(registry, datetime.min.replace(tzinfo=UTC)) is None


def test_a_start_can_be_told_in_every_timezone(registry: Registry) -> None:
    for instant in (datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvalidData, match="beyond the years"):
            registry.promote("ke", 1, live_from=instant)
    fact = registry.promote("ke", 1, live_from=datetime(9998, 12, 31, 23, tzinfo=UTC))
    assert fact.live_from.astimezone(ZoneInfo("Africa/Nairobi")).year == 9999


def test_promotions_follow_each_other(registry: Registry, clock: Clock) -> None:
    registry.promote("ke", 1)
    clock.pass_(days=1)
    registry.promote("ke", 2)
    registry.promote("ke", 3, live_from=MIDNIGHT + 5 * DAY)
    days = [live(registry, MIDNIGHT + number * DAY) for number in (0, 1, 4, 5, 6)]
    assert days == [1, 2, 2, 3, 3]


def test_a_promotion_to_the_same_instant_supersedes(registry: Registry) -> None:
    registry.promote("ke", 1)
    registry.promote("ke", 2)
    assert [fact.superseded_by for fact in registry.promotions("ke")] == [2, None]
    assert live(registry, MIDNIGHT) == 2


def test_a_promotion_before_a_planned_one_is_refused(registry: Registry) -> None:
    registry.promote("ke", 1, live_from=MIDNIGHT + 3 * DAY)
    with pytest.raises(Conflict, match="planned to be live"):
        registry.promote("ke", 2)
    assert len(registry.promotions("ke")) == 1


def test_a_rollback_goes_to_the_previous_version_and_undoes_what_is_planned(registry: Registry, clock: Clock) -> None:
    registry.promote("ke", 1)
    clock.pass_(days=1)
    registry.promote("ke", 2)
    clock.pass_(days=1)
    registry.promote("ke", 3)
    fact = registry.rollback("ke", reason="drift")
    assert (fact.kind, fact.version, fact.live_from) == (PromotionKind.ROLLBACK, 1, clock.now)
    assert [one.superseded_by for one in registry.promotions("ke")] == [None, None, 4, None]
    assert live(registry, clock.now - timedelta(microseconds=1)) == 2
    assert live(registry, clock.now) == live(registry, clock.now + 100 * DAY) == 1
    clock.pass_(minutes=1)
    assert registry.rollback("ke").version == 2


def test_a_rollback_may_name_its_version(registry: Registry, clock: Clock) -> None:
    registry.promote("ke", 1)
    clock.pass_(days=1)
    registry.promote("ke", 2)
    assert registry.rollback("ke", to=1).version == 1
    assert live(registry, clock.now + 10 * DAY) == 1
    assert registry.rollback("ke", to=3).version == 3


def test_nothing_can_be_rolled_back_to_nothing(registry: Registry, clock: Clock) -> None:
    with pytest.raises(Conflict, match="nothing was live"):
        registry.rollback("ke")
    registry.promote("ke", 1)
    with pytest.raises(Conflict, match="nothing was live"):
        registry.rollback("ke")
    clock.pass_(days=1)
    with pytest.raises(Conflict, match="nothing was live"):
        registry.rollback("ke")


def test_an_archived_version_comes_back(registry: Registry, clock: Clock) -> None:
    registry.archive_version("ke", 3)
    assert registry.model("ke").latest == 2
    registry.promote("ke", 3)
    version = registry.version("ke", 3)
    assert (version.state, version.archived_at) == (VersionState.READY, None)
    assert registry.model("ke").latest == 3
    clock.pass_(days=1)
    registry.promote("ke", 2, live_from=clock.now)
    registry.archive_version("ke", 3)
    assert registry.rollback("ke").version == 3
    assert registry.version("ke", 3).state is VersionState.READY


def test_a_version_that_is_live_or_planned_is_not_archived(registry: Registry, clock: Clock) -> None:
    registry.promote("ke", 1)
    with pytest.raises(Conflict, match="live, or planned"):
        registry.archive_version("ke", 1)
    clock.pass_(days=1)
    registry.promote("ke", 2)
    for number in (1, 2):
        with pytest.raises(Conflict, match="live, or planned"):
            registry.archive_version("ke", number)
    clock.pass_(days=1)
    assert registry.archive_version("ke", 1).state is VersionState.ARCHIVED


def test_a_version_that_is_not_there_is_not_promoted(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.promote("ke", 9)
    with pytest.raises(NotFound):
        registry.rollback("ke", to=9)
    with pytest.raises(NotFound):
        registry.promote("nobody", 1)
    registry.claim(claim_of("pending"))
    with pytest.raises(Conflict, match="PENDING"):
        registry.promote("ke", 4)
    assert registry.promotions("ke") == ()


def test_a_key_replays_the_original_answer(registry: Registry, clock: Clock) -> None:
    first = registry.promote("ke", 1, key="run 1")
    clock.pass_(hours=1)
    registry.promote("ke", 2)
    assert registry.promote("ke", 1, key="run 1") == first
    assert len(registry.promotions("ke")) == 2
    others: tuple[Callable[[], object], ...] = (
        lambda: registry.promote("ke", 2, key="run 1"),
        lambda: registry.promote("ke", 1, key="run 1", reason="another"),
        lambda: registry.rollback("ke", to=1, key="run 1"),
    )
    for other in others:
        with pytest.raises(Conflict, match="another promotion"):
            other()
    back = registry.rollback("ke", to=1, key="incident")
    clock.pass_(hours=1)
    assert registry.rollback("ke", to=1, key="incident") == back
    assert len(registry.promotions("ke")) == 3


def test_order_is_by_sequence_where_the_clock_runs_back(registry: Registry, clock: Clock) -> None:
    registry.rollback("ke", to=1)
    clock.pass_(hours=-1)
    second = registry.rollback("ke", to=2)
    assert [fact.superseded_by for fact in registry.promotions("ke")] == [2, None]
    assert live(registry, NOON) == live(registry, second.live_from) == 2
    assert registry.rollback("ke", to=3).sequence == 3
    assert live(registry, NOON) == 3


def test_what_was_live_stays_as_it_was(registry: Registry, clock: Clock) -> None:
    registry.promote("ke", 1)
    clock.pass_(days=3)
    answers = [live(registry, MIDNIGHT + number * DAY / 2) for number in range(-2, 5)]
    registry.promote("ke", 2, live_from=clock.now)
    registry.rollback("ke", to=3)
    registry.archive_model("ke")
    assert [live(registry, MIDNIGHT + number * DAY / 2) for number in range(-2, 5)] == answers
    assert live(registry, clock.now) is None


def test_a_model_that_is_not_there_has_nothing_live(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.live("nobody", NOON)
    with pytest.raises(NotFound):
        registry.promotions("nobody")
