"""The steps of a model's day, as its DAG has them: what is missing of its features, then the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.features.materialise import materialise
from modelyard.features.partitions import grid_of
from modelyard.features.registration import find_pins
from modelyard.registry.pages import every

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.datasets.store import DatasetStore
    from modelyard.features.engine import Engine
    from modelyard.features.materialise import MaterialiseResult
    from modelyard.registry.records import ModelRecord
    from modelyard.registry.registry import Registry
    from modelyard.scoring.batch import Target


def materialise_missing(
    target: Target, registry: Registry, datasets: DatasetStore, engine: Engine
) -> list[MaterialiseResult]:
    """Publish the partitions that a day's score needs and that are not there yet.

    If the process dies, whole partitions are published or not at all, and the next call goes on.

    Args:
        target: What is to be scored.
        registry: Knows the versions of feature sets.
        datasets: Where partitions are published.
        engine: What computes.

    Raises:
        InvalidData: A definition, a source's rows or a partition is not as it must be.
    """
    results: list[MaterialiseResult] = []
    for definition in target.definition.feature_sets.values():
        grid = grid_of(definition)
        day = grid.day(grid.at_or_before(target.moment))
        pins = find_pins([definition], registry)
        results += materialise(definition, pins, [day], engine=engine, datasets=datasets)
    return results


def scheduled_models(registry: Registry, project: str) -> Iterator[ModelRecord]:
    """The models of a project that say whom they score, by name; archived ones left out."""
    for record in every(lambda page: registry.models(page=page)):
        if record.project == project and record.archived_at is None and record.definition["document"].get("scoring"):
            yield record
