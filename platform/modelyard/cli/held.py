"""What the registry holds, as a plan compares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from modelyard.config.plan_values import Held, HeldFeatureSet, HeldModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.records import Page
    from modelyard.registry.registry import Registry

T = TypeVar("T")


def read_held(registry: Registry) -> Held:
    """Every model and feature set of a registry, those of other projects included.

    Args:
        registry: The registry.
    """
    models = (
        HeldModel(
            name=record.name,
            project=record.project,
            revision=record.revision,
            definition=record.definition,
            archived=record.archived_at is not None,
        )
        for record in every(lambda page: registry.models(page=page))
    )
    feature_sets = (
        HeldFeatureSet(
            name=record.name,
            project=record.project,
            number=record.number,
            digest=record.digest,
            definition=record.definition,
            archived=record.archived_at is not None,
        )
        for record in every(lambda page: registry.feature_sets(page=page))
    )
    return Held({model.name: model for model in models}, {known.name: known for known in feature_sets})


def every(read: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Every record of a list, page by page."""
    page = read(None)
    yield from page.items
    while page.next:
        page = read(page.next)
        yield from page.items
