"""Score a day as its DAG does: what is missing of its features first, then the predictions."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from modelyard.local_days import local_day
from modelyard.scoring.batch import find_target, score_partition
from modelyard.scoring.daily import materialise_missing
from modelyard.scoring.loading import load_for_batch

if TYPE_CHECKING:
    from datetime import date

    from modelyard.scoring.batch import Progress, ScoreResult, Target
    from modelyard.workspace import Workspace


def target_of(workspace: Workspace, model: str, day: date | None = None, version: int | None = None) -> Target:
    """What scoring a model's day means.

    Args:
        workspace: The registry that knows the model.
        model: The model's name.
        day: The partition; today in the model's timezone unless said.
        version: The version's number; the one that is live as the day begins unless said.

    Raises:
        NotFound: There is no such model or version, or none is live then.
        InvalidData: The model does not say whom it scores.
    """
    registry = workspace.registry
    day = day or local_day(datetime.now(UTC), registry.model(model).timezone)
    return find_target(registry, model, day, version)


def score_target(workspace: Workspace, target: Target, progress: Progress | None = None) -> ScoreResult:
    """Score a day, unless that was done before with the same version, features and population.

    If the process dies, what it published is whole, and the next call goes on.

    Args:
        workspace: The back-ends.
        target: What is to be scored.
        progress: Told as rows are scored.

    Raises:
        IntegrityError: The version's files are not what was registered.
        InvalidData: A row can't be scored, or the predictions do not pass their audit; nothing is published then.
    """
    settings = workspace.settings
    materialise_missing(target, workspace.registry, workspace.datasets, workspace.engine)
    load = partial(
        load_for_batch,
        workspace.registry,
        cache=settings.cache,
        threads=os.cpu_count() or 1,
        allow_bundles=settings.allow_bundles,
    )
    return score_partition(target, load, workspace.datasets, workspace.engine, progress=progress)
