"""What happened, and what depends on what."""

from typing import Annotated

from fastapi import APIRouter, Query

from modelyard.registry.lineage import AffectedModel, affected_models
from modelyard.registry.records import ChangePage, Event, Page
from registry_api import examples
from registry_api.access import shown_to
from registry_api.openapi import answers
from registry_api.requests import Limit, PageToken, Sees, Served, StrictRoute, Subject, Tokens

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.get("/history/{subject}", tags=["history"], responses=answers(examples.page(examples.EVENT)))
def read_history(registry: Served, subject: Subject, page: PageToken = None, limit: Limit = 100) -> Page[Event]:
    """What happened to a model, a feature set or a run, the newest first."""
    return registry.history(subject, page=page, limit=limit)


@router.get("/changes", tags=["history"], responses=answers(examples.CHANGES, 410))
def read_changes(
    registry: Served,
    sees: Sees,
    after: Annotated[
        str | None, Query(description="`next` of the page that was read last; from the beginning unless said.")
    ] = None,
    limit: Limit = 100,
) -> ChangePage:
    """What happened after a position of the change cursor, the oldest of each subject first.

    410 where the changes that were read last are not in this registry any more: it was restored from a backup, or
    moved. Read what you follow anew then, and the changes from the beginning.
    """
    found = registry.changes(after=after, limit=limit)
    shown = shown_to(registry, sees)
    return found.model_copy(update={"items": tuple(event for event in found.items if shown(event.subject))})


@router.get("/dependents/{subject}", tags=["lineage"], responses=answers(examples.page(f"model:{examples.MODEL}")))
def list_dependents(
    registry: Served, sees: Sees, tokens: Tokens, subject: Subject, page: PageToken = None, limit: Limit = 100
) -> Page[str]:
    """The subjects that have ever depended on a source or a feature set, those that the caller may see."""
    shown = shown_to(registry, sees)
    return tokens.page(lambda after: registry.dependents(subject, page=after, limit=limit), page, shown)


@router.get("/affected/{subject}", tags=["lineage"], responses=answers(examples.several(examples.AFFECTED)))
def list_affected(
    registry: Served,
    sees: Sees,
    subject: Subject,
    column: Annotated[str | None, Query(max_length=128, description="A column of the source.")] = None,
) -> tuple[AffectedModel, ...]:
    """The models that a change of a feature set, a source, or one column of it would reach; those that one may see."""
    return tuple(model for model in affected_models(registry, subject, column) if sees(model.team))
