"""What a folder of specs holds, for people: no registry is asked, so it can be read while none answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.orchestration.plan import DagPlan
from modelyard.orchestration.poll_state import read_state
from modelyard.orchestration.specs import read_specs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from modelyard.errors import IntegrityError


@dataclass(frozen=True)
class ListedDag:
    """The DAG of a model."""

    dag: str
    model: str
    schedule: str
    timezone: str
    start: datetime
    """The first instant at which the model was, or will be, live."""
    live: int | None
    """The version that is live now."""
    next: int | None
    """The version that is planned to follow."""
    next_from: datetime | None
    """When it follows."""


@dataclass(frozen=True)
class Listing:
    """What a folder of specs holds."""

    polled_at: datetime | None
    """When the registry was asked last, with success."""
    dags: tuple[ListedDag, ...]
    """The DAGs that Airflow's loader makes, by name."""
    without: Mapping[str, str]
    """The models that have no DAG, with the reason; archived ones left out."""
    problems: tuple[IntegrityError, ...]
    """The specs that do not load, each with why and what to do."""


def list_dags(folder: Path, now: datetime) -> Listing:
    """Read every spec of a folder.

    Args:
        folder: The folder of specs.
        now: The time that decides which version is live.

    Raises:
        NotFound: There is no such folder.
    """
    specs = list(read_specs(folder))
    plans = sorted((spec for spec in specs if isinstance(spec, DagPlan)), key=lambda plan: plan.model)
    state = read_state(folder)
    return Listing(
        polled_at=state.polled_at,
        dags=tuple(_listed(plan, now) for plan in plans),
        without=state.without,
        problems=tuple(spec for spec in specs if not isinstance(spec, DagPlan)),
    )


def _listed(plan: DagPlan, now: datetime) -> ListedDag:
    planned = next((interval for interval in plan.intervals if interval.start > now), None)
    return ListedDag(
        dag=plan.dag_id,
        model=plan.model,
        schedule=plan.schedule,
        timezone=plan.timezone,
        start=plan.start,
        live=plan.version_at(now),
        next=planned.version if planned else None,
        next_from=planned.start if planned else None,
    )
