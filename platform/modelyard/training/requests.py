"""From a model to the run that is asked for: as of which day, with which pins, and whether it was asked for before."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData, NotFound
from modelyard.local_days import day_start, local_day
from modelyard.registry.records import Run, RunState
from modelyard.registry.run_spec import RunSpec
from modelyard.training.identity import this_platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.config.definitions import ModelDefinition
    from modelyard.registry.records import FeatureSetPin, ModelVersion
    from modelyard.registry.registry import Registry
    from modelyard.training.identity import Platform


def make_spec(
    definition: ModelDefinition,
    pins: Sequence[FeatureSetPin],
    *,
    day: date | None = None,
    now: datetime | None = None,
    sample: float | None = None,
    platform: Platform | None = None,
) -> RunSpec:
    """What a run of a model is asked to make.

    Args:
        definition: The model.
        pins: The versions of its feature sets.
        day: The run is as of this day's start in the model's timezone; today unless said.
        now: The time; this machine's clock unless said.
        sample: The part of the label rows that is used, in local trials.
        platform: What will train; this process's own unless said.

    Raises:
        InvalidData: The day has not begun. What will be known by then would never be looked at: equal requests share
            one training set.
    """
    platform = platform or this_platform()
    now = now or datetime.now(UTC)
    day = day or local_day(now, definition.timezone)
    as_of = day_start(day, definition.timezone)
    if as_of > now:
        reason = f"model `{definition.name}` can't learn from what is known as of {day}: that day has not begun"
        raise InvalidData(reason, f"{local_day(now, definition.timezone)} is the last day there is")
    return RunSpec(
        definition=definition,
        as_of=as_of,
        to=definition.document.data.to or day,
        feature_sets=tuple(pins),
        sample=sample,
        code=platform.code(definition.bundles),
        environment=platform.environment,
    )


def plan_run(registry: Registry, spec: RunSpec, *, project: str, actor: str, again: bool = False) -> Run:
    """The run that answers a request: one that is under way or done, or a new one, not yet queued.

    A request that was met is answered with the run that met it. One that failed or was cancelled is tried anew.

    Args:
        registry: What was asked for before.
        spec: The request.
        project: The model's project.
        actor: Who asks.
        again: Whether a new attempt is made even where the request was met.
    """
    met = _made_for(registry, spec)
    last = _last_attempt(registry, spec, 0 if met is None else met.attempt)
    if not again:
        answer = _run_of(registry, met) or last
        if answer is not None and (answer.state is RunState.SUCCEEDED or not answer.state.terminal):
            return answer
    attempt = 1 + (last.attempt if last is not None else 0 if met is None else met.attempt)
    return Run(
        id=spec.run_id(attempt),
        model=spec.definition.name,
        project=project,
        team=spec.definition.owner,
        request=spec.request,
        attempt=attempt,
        spec=spec.content(),
        state=RunState.QUEUED,
        created_at=datetime.now(UTC),
        created_by=actor,
    )


def _last_attempt(registry: Registry, spec: RunSpec, known: int) -> Run | None:
    """The last attempt at a request, from one on that is known; old ones may have been swept."""
    last = None
    for attempt in itertools.count(max(known, 1)):
        try:
            last = registry.run(spec.run_id(attempt))
        except NotFound:
            if attempt > known:
                return last
    return last


def _made_for(registry: Registry, spec: RunSpec) -> ModelVersion | None:
    """The version that a run made; what somebody registered by hand for the same request may name any attempt."""
    try:
        found = registry.find_version(spec.definition.name, spec.request)
        return found if found is not None and found.run is not None else None
    except NotFound:  # a service that asks who calls has nothing to say of a model that nobody owns yet
        return None


def _run_of(registry: Registry, version: ModelVersion | None) -> Run | None:
    if version is None or version.run is None:
        return None
    try:
        return registry.run(version.run)
    except NotFound:
        return None
