"""Which DAG a model has, as pure data: when it runs, and which commands it runs on which day.

A plan is made of the registry's records, kept as a spec file (`specs.py`) and turned into an Airflow DAG (`dags/`).
Nothing here knows a registry, a file or Airflow; the DAG loader imports this module at every parse, so it is light.
One more step is one more `Step` in `DagPlan.steps` and its words in `DagPlan.words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from modelyard.local_days import day_start, local_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from modelyard.registry.records import ModelRecord, Promotion

DAG_PREFIX: Final = "modelyard_score_"
"""Keeps the DAGs of models apart from all others of an Airflow, `modelyard_poll` among them."""

MATERIALISE: Final = "materialise_"
SCORE: Final = "score"
HAND_OVER: Final = "hand_over"


@dataclass(frozen=True)
class LiveInterval:
    """A time in which one version is live."""

    start: datetime
    """The first instant, UTC."""
    end: datetime | None
    """The instant after the last; None where nothing is planned to follow."""
    version: int
    """The version's number."""

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True)
class Step:
    """One task of a DAG."""

    name: str
    """Its task id."""
    after: tuple[str, ...] = ()
    """The steps that come before it."""
    runs_after_skipped: bool = False
    """Whether it runs although some of the steps before it had nothing to do."""


@dataclass(frozen=True)
class DagPlan:
    """The DAG of one model."""

    model: str
    project: str
    team: str
    schedule: str
    """A cron expression, in the model's timezone."""
    timezone: str
    intervals: tuple[LiveInterval, ...]
    """When which version is live, in order, without overlap; at least one."""
    feature_sets: Mapping[int, Mapping[str, int]]
    """For each version of the intervals, the feature sets that it pins, by name, with their versions."""

    @property
    def dag_id(self) -> str:
        """The id of the DAG."""
        return DAG_PREFIX + self.model

    @property
    def start(self) -> datetime:
        """The first instant at which the model was live: it never changes once it has come."""
        return self.intervals[0].start

    @property
    def steps(self) -> tuple[Step, ...]:
        """The DAG's tasks in order: every feature set that any version pins, the score, the hand-over."""
        names = sorted({name for pins in self.feature_sets.values() for name in pins})
        materialise = tuple(Step(MATERIALISE + name) for name in names)
        # A feature set that the day's version does not use is skipped; the score is not.
        score = Step(SCORE, tuple(step.name for step in materialise), runs_after_skipped=True)
        return (*materialise, score, Step(HAND_OVER, (SCORE,)))

    def day_of(self, instant: datetime) -> date:
        """The day that an instant falls into, where the model is."""
        return local_day(instant, self.timezone)

    def version_at(self, instant: datetime) -> int | None:
        """The version that is live at an instant, as planned by now."""
        return next((interval.version for interval in self.intervals if instant in interval), None)

    def version_on(self, day: date) -> int | None:
        """The version that scores a day's partition: the one that is live when the day begins."""
        return self.version_at(day_start(day, self.timezone))

    def words(self, step: str, day: date) -> tuple[str, ...] | None:
        """What a step runs for a day's partition, as the words after `modelyard`.

        Args:
            step: The step's name.
            day: The partition.

        Returns:
            The words; None where the step has nothing to do on that day.
        """
        version = self.version_on(day)
        if version is None:
            return None
        if step == SCORE:
            return ("score", self.model, "--as-of", day.isoformat(), "--version", str(version))
        if step == HAND_OVER:
            return ("hand-over", self.model, "--version", str(version))
        name = step.removeprefix(MATERIALISE)
        pinned = self.feature_sets[version].get(name)
        if pinned is None:
            return None
        # The set may be of another timezone, in which another day, or another part of it, is the newest by then.
        moment = day_start(day, self.timezone).astimezone(ZoneInfo(self.timezone)).isoformat()
        return ("features", "materialise", name, "--as-of", moment, "--version", str(pinned))


@dataclass(frozen=True)
class NoDag:
    """That a model has no DAG."""

    reason: str
    """Why, as the end of a sentence about the model."""


ARCHIVED: Final = NoDag("is archived")
UNSCHEDULED: Final = NoDag("has no `scoring`")
NEVER_LIVE: Final = NoDag("has no version that is live or will be")


def live_intervals(promotions: Sequence[Promotion]) -> tuple[LiveInterval, ...]:
    """When which version is live, from the facts of promotion.

    Args:
        promotions: Every fact of one model.
    """
    counting = (fact for fact in promotions if fact.superseded_by is None)
    facts = sorted(counting, key=lambda fact: (fact.live_from, fact.sequence))
    return tuple(
        LiveInterval(fact.live_from, later.live_from if later else None, fact.version)
        for fact, later in zip_longest(facts, facts[1:])
        if fact.version is not None
    )


def plan_dag(
    model: ModelRecord, promotions: Sequence[Promotion], feature_sets_of: Callable[[int], Mapping[str, int]]
) -> DagPlan | NoDag:
    """The DAG of a model.

    Args:
        model: The model.
        promotions: Every fact of promotion of it.
        feature_sets_of: The feature sets that a version pins, by name, with their versions; asked for the versions of
            the DAG alone.
    """
    scoring = model.definition["document"].get("scoring")
    intervals = live_intervals(promotions)
    if model.archived_at is not None:
        return ARCHIVED
    if scoring is None:
        return UNSCHEDULED
    if not intervals or intervals[-1].end is not None:
        return NEVER_LIVE
    return DagPlan(
        model=model.name,
        project=model.project,
        team=model.team,
        schedule=scoring["schedule"],
        timezone=model.timezone,
        intervals=intervals,
        feature_sets={number: feature_sets_of(number) for number in sorted({part.version for part in intervals})},
    )
