"""What is live when: a thousand random histories against a naive model."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import Conflict, InvalidData
from modelyard.registry.sqlite import database
from tests.day_starts import day_starts
from tests.registries import Clock
from tests.registry.making import definition, open_local, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.local import LocalRegistry

HOUR = timedelta(hours=1)


@dataclass
class Naive:
    """What was live, kept as a diary: what has begun is never touched again, what is planned may be crossed out."""

    timezone: str
    begun: list[tuple[datetime, int | None]] = field(default_factory=list)
    planned: dict[datetime, int] = field(default_factory=dict)

    def settle(self, now: datetime) -> None:
        for start in sorted(start for start in self.planned if start <= now):
            self._write(start, self.planned.pop(start))

    def _write(self, start: datetime, version: int | None) -> None:
        self.begun = [entry for entry in self.begun if entry[0] != start]
        self.begun.append((start, version))

    def promote(self, version: int, start: datetime | None, now: datetime) -> None:
        if start is None:
            start = min(first for first in day_starts(self.timezone, 2026).values() if first > now)
        if start < now:
            raise InvalidData("past")  # noqa: EM101 - compared by its class alone
        if any(later > start for later in self.planned):
            raise Conflict("planned")  # noqa: EM101 - nobody reads it
        self.planned[start] = version
        self.settle(now)

    def rollback(self, version: int | None, now: datetime) -> None:
        if version is None:
            current = self.begun[-1][1] if self.begun else None
            others = [entry[1] for entry in self.begun[:-1] if entry[1] not in (None, current)]
            if not others:
                raise Conflict("nothing before")  # noqa: EM101 - nobody reads it
            version = others[-1]
        self.planned = {}
        self._write(now, version)

    def archive(self, now: datetime) -> None:
        self.planned = {}
        self._write(now, None)

    def live(self, at: datetime) -> int | None:
        found = None
        for start, version in [*self.begun, *sorted(self.planned.items())]:
            if start <= at:
                found = version
        return found


STEPS = st.one_of(
    st.tuples(st.just("promote"), st.integers(1, 3), st.none() | st.integers(-2, 80)),
    st.tuples(st.just("rollback"), st.none() | st.integers(1, 3), st.none()),
    st.tuples(st.just("archive"), st.none(), st.none()),
)
ZONES = {
    "Africa/Cairo": (datetime(2026, 4, 22, 7, tzinfo=UTC), datetime(2026, 10, 27, 7, tzinfo=UTC)),
    "America/Havana": (datetime(2026, 3, 6, 7, tzinfo=UTC), datetime(2026, 10, 30, 7, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 2, 7, tzinfo=UTC), datetime(2026, 10, 1, 7, tzinfo=UTC)),
}
"""Zones with daylight saving, and when to begin so that clocks change on the way."""

_names = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalRegistry, Clock]]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # What is live does not hang on the disk, and ten thousand waits for it would take a minute.
        monkeypatch.setattr(database, "_WAIT", "PRAGMA synchronous = OFF")
        monkeypatch.setattr(os, "fsync", lambda _: None)
        yield open_local(tmp_path_factory.mktemp("live"), clock), clock


@pytest.mark.timeout(600)  # a thousand histories, each in a real database
@settings(max_examples=1000)
@given(
    zone=st.sampled_from(sorted(ZONES)),
    autumn=st.booleans(),
    steps=st.lists(st.tuples(st.integers(0, 40), STEPS), min_size=1, max_size=9),
)
def test_what_was_live_is_right_for_random_histories(
    shared: tuple[LocalRegistry, Clock],
    tmp_path_factory: pytest.TempPathFactory,
    zone: str,
    autumn: bool,
    steps: list[tuple[int, tuple[str, int | None, int | None]]],
) -> None:
    registry, clock = shared
    begin = clock.now = ZONES[zone][autumn]
    name = f"model_{next(_names)}"
    document = definition(name, timezone=zone)
    revision = registry.apply_model(document, project="lender", expected_revision=0).revision
    for number in range(3):
        register(registry, tmp_path_factory.getbasetemp(), f"key {number}", name)
    naive = Naive(zone)
    answers: dict[datetime, int | None] = {}
    for hours, (kind, version, ahead) in steps:
        now = clock.pass_(hours=hours)
        naive.settle(now)
        # What has gone by is remembered, and asked for again at the end.
        answers |= {at: naive.live(at) for at in _moments(zone, begin, now) if at < now}
        start = None if ahead is None else now + ahead * HOUR
        assert _outcome(lambda: _do(registry, name, kind, version, start)) == _outcome(  # noqa: B023 - called at once
            lambda: _do_naively(naive, kind, version, start, now)  # noqa: B023 - called before the loop goes on
        )
        if kind == "archive":
            revision = registry.apply_model(document, project="lender", expected_revision=revision + 1).revision
    for at in _moments(zone, begin, clock.now + 90 * HOUR):
        live = registry.live(name, at)
        assert (live and live.number) == naive.live(at) == answers.get(at, naive.live(at))
    facts = [fact for fact in registry.promotions(name) if fact.superseded_by is None]
    assert [fact.live_from for fact in facts] == sorted({fact.live_from for fact in facts})


def _moments(zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """The starts of local days, and the hours between."""
    days = [start for start in day_starts(zone, 2026).values() if begin <= start <= end]
    hours = [begin + number * 5 * HOUR for number in range(int((end - begin) / (5 * HOUR)) + 1)]
    return sorted({*days, *hours})


def _do(registry: LocalRegistry, model: str, kind: str, version: int | None, start: datetime | None) -> None:
    if kind == "promote":
        assert version is not None
        registry.promote(model, version, live_from=start)
    elif kind == "rollback":
        registry.rollback(model, to=version)
    else:
        registry.archive_model(model)


def _do_naively(naive: Naive, kind: str, version: int | None, start: datetime | None, now: datetime) -> None:
    if kind == "promote":
        assert version is not None
        naive.promote(version, start, now)
    elif kind == "rollback":
        naive.rollback(version, now)
    else:
        naive.archive(now)


def _outcome(step: Callable[[], None]) -> type[Exception] | None:
    try:
        step()
    except (Conflict, InvalidData) as refused:
        return type(refused)
    return None
