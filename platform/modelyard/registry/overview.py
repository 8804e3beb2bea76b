"""What a person wants to know of models: what is live, what is planned, what is newest, and how good it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from modelyard.errors import UsageError
from modelyard.local_days import day_start
from modelyard.registry.live import effective, live_at
from modelyard.registry.pages import every
from modelyard.registry.records import Estimate, Event, ModelRecord, ModelVersion, Promotion, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.registry import Registry

NEWEST = 20
"""Versions and events that the view of one model shows."""


class Planned(Record):
    """A version that will be live; None where nothing will be."""

    version: int | None
    live_from: datetime


class ModelSummary(Record):
    """One model in a list."""

    name: str
    team: str
    timezone: str
    archived: bool
    live: int | None
    """The version that is live at the moment that was asked for."""
    live_since: datetime | None
    planned: tuple[Planned, ...]
    """What will be live after that moment."""
    latest: int | None
    metric: str | None
    """The name of the metric that is shown."""
    estimate: Estimate | None
    """Its value, for the live version, or for the latest where none is live."""


class ModelDetails(Record):
    """One model with its newest versions, its promotions, and what happened to it last."""

    summary: ModelSummary
    record: ModelRecord
    versions: tuple[ModelVersion, ...]
    promotions: tuple[Promotion, ...]
    history: tuple[Event, ...]


def summaries(registry: Registry, when: str | None = None) -> Iterator[ModelSummary]:
    """A line for each model, by name.

    Args:
        registry: Where to look.
        when: The moment: a date, whose start in each model's timezone counts, or an instant; now unless said.
    """
    for record in every(lambda page: registry.models(page=page)):
        yield summarise(registry, record, moment(when, record.timezone))


def summarise(registry: Registry, record: ModelRecord, at: datetime) -> ModelSummary:
    """A model at a moment."""
    facts = effective(registry.promotions(record.name))
    current = live_at(facts, at)
    live = None if current is None else current.version
    shown = live or record.latest
    metrics = {} if shown is None else registry.version(record.name, shown).metrics
    metric = next(iter(metrics), None)
    return ModelSummary(
        name=record.name,
        team=record.team,
        timezone=record.timezone,
        archived=record.archived_at is not None,
        live=live,
        live_since=None if current is None or live is None else current.live_from,
        planned=tuple(Planned(version=fact.version, live_from=fact.live_from) for fact in facts if fact.live_from > at),
        latest=record.latest,
        metric=metric,
        estimate=None if metric is None else metrics[metric],
    )


def details(registry: Registry, name: str, when: str | None = None) -> ModelDetails:
    """A model with what belongs to it.

    Raises:
        NotFound: There is no such model.
    """
    record = registry.model(name)
    return ModelDetails(
        summary=summarise(registry, record, moment(when, record.timezone)),
        record=record,
        versions=registry.versions(name, limit=NEWEST).items,
        promotions=tuple(registry.promotions(name)),
        history=registry.history(f"model:{name}", limit=NEWEST).items,
    )


def moment(when: str | None, timezone: str) -> datetime:
    """The instant that a person means.

    Args:
        when: `2026-12-01` for the start of that day, or `2026-12-01T08:00` (both in the timezone, where none is said);
            now, where nothing is.
        timezone: The model's timezone.

    Raises:
        UsageError: It is written otherwise.
    """
    if when is None:
        return datetime.now(UTC)
    try:
        if len(when) == len("2026-12-01"):
            return day_start(date.fromisoformat(when), timezone)
        instant = datetime.fromisoformat(when)
    except (ValueError, OverflowError) as error:
        msg = f"`{when}` is no date and no instant"
        raise UsageError(msg, "write 2026-12-01, or 2026-12-01T08:00+03:00") from error
    return instant.replace(tzinfo=ZoneInfo(timezone)) if instant.tzinfo is None else instant
