"""Models with live versions in a registry of this process, and plans that need none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.orchestration.plan import DagPlan, LiveInterval
from modelyard.registry.records import FeatureSetPin
from tests.scoring.versions import plain_definition, register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.registry import Registry

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
"""When the clocks of tests start; the next midnight in Nairobi is nine hours later."""

MIDNIGHT = datetime(2026, 7, 1, 21, tzinfo=UTC)
"""The midnight in Nairobi with which the second of July begins."""

SCORING = {"schedule": "0 4 * * *", "population": {"source": "flats", "entity": "size"}}


def apply(registry: Registry, name: str, *, timezone: str = "Africa/Nairobi", **document: Any) -> str:
    """Apply a model that scores, or give it a new revision."""
    revision = next((model.revision for model in registry.models().items if model.name == name), 0)
    definition = plain_definition(name, owner="credit", timezone=timezone, **{"scoring": SCORING, **document})
    return registry.apply_model(definition, project="tests", expected_revision=revision).name


def add_version(registry: Registry, model: str, pins: Mapping[str, int] | None = None) -> int:
    """Register a version that pins feature sets."""
    sets = [FeatureSetPin(name=name, version=number, digest="0" * 64) for name, number in (pins or {}).items()]
    return register(registry, model, {"model.json": b"{}"}, feature_sets=sets)


def add_live(registry: Registry, model: str, pins: Mapping[str, int] | None = None) -> int:
    """Register a version and promote it, live from the next midnight on."""
    number = add_version(registry, model, pins)
    registry.promote(model, number)
    return number


def plan(
    model: str = "ke_loan_default",
    intervals: tuple[tuple[datetime, datetime | None, int], ...] = ((MIDNIGHT, None, 1),),
    feature_sets: Mapping[int, Mapping[str, int]] | None = None,
    timezone: str = "Africa/Nairobi",
) -> DagPlan:
    """A plan, without a registry."""
    versions = {version for _, _, version in intervals}
    return DagPlan(
        model=model,
        project="lender",
        team="credit-ke",
        schedule="0 4 * * *",
        timezone=timezone,
        intervals=tuple(LiveInterval(*interval) for interval in intervals),
        feature_sets=feature_sets or {version: {"borrower_history": 1} for version in sorted(versions)},
    )
