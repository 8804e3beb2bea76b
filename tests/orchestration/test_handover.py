"""The end of a hand-over: predecessors are archived once their successor has published."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import NotFound
from modelyard.orchestration.handover import HandOver, first_day, hand_over, predecessors
from modelyard.orchestration.plan import LiveInterval
from modelyard.registry.records import VersionState
from tests.orchestration.yard import MIDNIGHT, add_live, add_version, apply

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from tests.registries import Clock

DAY = timedelta(days=1)
MODEL = "ke_loan_default"


@pytest.fixture
def datasets(tmp_path: Path) -> FilesystemDatasets:
    return FilesystemDatasets(tmp_path / "datasets")


def publish(datasets: FilesystemDatasets, version: int, day: str) -> None:
    with datasets.stage(f"predictions/{MODEL}/{version}") as staging:
        pq.write_table(pa.table({"size": [1.0], "prediction": [0.5]}), staging.path / "rows.parquet")
        staging.publish(day)


def states(registry: LocalRegistry) -> dict[int, VersionState]:
    return {version.number: version.state for version in registry.versions(MODEL).items}


@pytest.fixture
def replaced(registry: LocalRegistry, clock: Clock) -> LocalRegistry:
    """Version 1 is live from 2 July, version 2 from 3 July on; version 3 never was. It is 3 July."""
    apply(registry, MODEL)
    add_live(registry, MODEL)
    clock.pass_(days=1)
    add_live(registry, MODEL)
    add_version(registry, MODEL)
    clock.pass_(days=1)
    return registry


def test_predecessors_stay_until_the_successor_has_published_its_first_day(
    replaced: LocalRegistry, datasets: FilesystemDatasets, clock: Clock
) -> None:
    publish(datasets, 2, "2026-07-02")  # scored ahead of its time, to look at it
    result = hand_over(replaced, datasets, MODEL, 2, now=clock.now)
    assert result == HandOver(waiting="version 2 has published no partition from 2026-07-03 on, its first day")
    assert states(replaced)[1] is VersionState.READY
    publish(datasets, 2, "2026-07-03")
    assert hand_over(replaced, datasets, MODEL, 2, now=clock.now) == HandOver(archived=(1,))
    assert states(replaced) == {1: VersionState.ARCHIVED, 2: VersionState.READY, 3: VersionState.READY}


def test_again_changes_nothing(replaced: LocalRegistry, datasets: FilesystemDatasets, clock: Clock) -> None:
    publish(datasets, 2, "2026-07-03")
    hand_over(replaced, datasets, MODEL, 2, now=clock.now)
    assert hand_over(replaced, datasets, MODEL, 2, now=clock.now) == HandOver()


def test_a_backfill_with_an_old_version_archives_neither_it_nor_its_successor(
    replaced: LocalRegistry, datasets: FilesystemDatasets, clock: Clock
) -> None:
    publish(datasets, 1, "2026-07-02")
    assert hand_over(replaced, datasets, MODEL, 1, now=clock.now) == HandOver()
    assert set(states(replaced).values()) == {VersionState.READY}


def test_a_version_that_was_never_live_hands_nothing_over(
    replaced: LocalRegistry, datasets: FilesystemDatasets, clock: Clock
) -> None:
    publish(datasets, 3, "2026-07-03")
    assert hand_over(replaced, datasets, MODEL, 3, now=clock.now) == HandOver(waiting="version 3 was never live")


def test_after_a_rollback_the_version_that_failed_is_archived_the_next_day(
    replaced: LocalRegistry, datasets: FilesystemDatasets, clock: Clock
) -> None:
    replaced.rollback(MODEL)
    publish(datasets, 1, "2026-07-02")
    waiting = hand_over(replaced, datasets, MODEL, 1, now=clock.now).waiting
    assert waiting == "version 1 has published no partition from 2026-07-04 on, its first day"
    clock.pass_(days=1)
    publish(datasets, 1, "2026-07-04")
    assert hand_over(replaced, datasets, MODEL, 1, now=clock.now) == HandOver(archived=(2,))


def test_a_model_that_is_not_there_is_an_error(registry: LocalRegistry, datasets: FilesystemDatasets) -> None:
    with pytest.raises(NotFound):
        hand_over(registry, datasets, "stranger", 1)


def days(*parts: tuple[int, int | None, int]) -> list[LiveInterval]:
    return [
        LiveInterval(MIDNIGHT + start * DAY, None if end is None else MIDNIGHT + end * DAY, version)
        for start, end, version in parts
    ]


@pytest.mark.parametrize(
    ("intervals", "version", "expected"),
    [
        (days((0, 1, 1), (1, 2, 2), (2, None, 3)), 3, (1, 2)),
        (days((0, 1, 1), (1, 2, 2), (2, None, 3)), 2, (1,)),
        (days((0, 1, 1), (1, 2, 2), (2, None, 1)), 1, (2,)),
        (days((0, 1, 1), (1, 9, 2), (9, None, 1)), 2, ()),  # the predecessor is planned again
        (days((0, 1, 1), (1, 9, 2), (9, None, 3)), 3, ()),  # not live yet
        (days((0, 1, 1), (2, None, 2)), 2, (1,)),  # with a gap in which nothing was live
        (days((0, None, 1)), 2, ()),
    ],
)
def test_predecessors_were_live_before_and_are_not_needed_any_more(
    intervals: list[LiveInterval], version: int, expected: tuple[int, ...]
) -> None:
    assert predecessors(intervals, version, MIDNIGHT + 5 * DAY) == expected


@pytest.mark.parametrize(
    ("start", "day"),
    [
        ("2026-07-01T21:00:00+00:00", date(2026, 7, 2)),
        ("2026-07-01T21:00:00.000001+00:00", date(2026, 7, 3)),
        ("2026-07-01T20:59:59+00:00", date(2026, 7, 2)),
    ],
)
def test_the_first_day_is_the_first_that_begins_with_the_version_live(start: str, day: date) -> None:
    assert first_day(datetime.fromisoformat(start), "Africa/Nairobi") == day
