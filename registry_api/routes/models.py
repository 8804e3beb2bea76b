"""Models."""

from typing import Annotated

from fastapi import APIRouter, Body

from modelyard.errors import InvalidData
from modelyard.registry.messages import ApplyModel, Archive
from modelyard.registry.records import ModelRecord, Page, Run
from registry_api import examples
from registry_api.openapi import answers
from registry_api.requests import Limit, ModelName, PageToken, Sees, Served, StrictRoute, Tokens

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictRoute)


@router.get("", responses=answers(examples.page(examples.RECORD)))
def list_models(
    registry: Served, sees: Sees, tokens: Tokens, page: PageToken = None, limit: Limit = 100
) -> Page[ModelRecord]:
    """All models that the caller may see, by name, archived ones included."""
    return tokens.page(
        lambda after: registry.models(page=after, limit=limit), page, shown=lambda model: sees(model.team)
    )


@router.get("/{model}", responses=answers(examples.RECORD, 404))
def read_model(registry: Served, model: ModelName) -> ModelRecord:
    """A model, archived ones included."""
    return registry.model(model)


@router.put("/{model}", responses=answers(examples.RECORD, 409, 413))
def apply_model(
    registry: Served, model: ModelName, body: Annotated[ApplyModel, Body(examples=[examples.plain(examples.APPLY)])]
) -> ModelRecord:
    """Create a model, or give it a new revision, and queue its run. The same again changes nothing."""
    document = body.definition.get("document")
    if not isinstance(document, dict) or document.get("name") != model:
        msg = f"the definition is not of `{model}`"
        raise InvalidData(msg, "send it to the path with its own name")
    return registry.apply_model(
        body.definition, project=body.project, expected_revision=body.expected_revision, run=body.run
    )


@router.post("/{model}/archive", responses=answers(examples.ARCHIVED_RECORD, 404))
def archive_model(
    registry: Served, model: ModelName, body: Annotated[Archive, Body(examples=[examples.plain(examples.ARCHIVE)])]
) -> ModelRecord:
    """Take a model out of use: nothing is live from now on, and its runs are cancelled. Again changes nothing."""
    return registry.archive_model(model, reason=body.reason)


@router.get("/{model}/runs", tags=["runs"], responses=answers(examples.page(examples.TRAINING), 404))
def list_model_runs(registry: Served, model: ModelName, page: PageToken = None, limit: Limit = 100) -> Page[Run]:
    """A model's runs, the newest first."""
    return registry.runs(model=model, page=page, limit=limit)
