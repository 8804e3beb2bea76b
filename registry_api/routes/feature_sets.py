"""Feature sets."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from modelyard.errors import InvalidData
from modelyard.registry.messages import Archive, RegisterFeatureSet
from modelyard.registry.records import FeatureSetVersion, Page
from registry_api import examples
from registry_api.openapi import answers
from registry_api.requests import FeatureSetName, Limit, Number, PageToken, Served, StrictRoute

router = APIRouter(prefix="/v1/feature-sets", tags=["feature sets"], route_class=StrictRoute)


@router.get("", responses=answers(examples.page(examples.REGISTERED)))
def list_feature_sets(registry: Served, page: PageToken = None, limit: Limit = 100) -> Page[FeatureSetVersion]:
    """The version of each feature set that was registered last, by name, archived ones included."""
    return registry.feature_sets(page=page, limit=limit)


@router.get("/{name}", responses=answers(examples.REGISTERED, 404))
def read_feature_set(registry: Served, name: FeatureSetName) -> FeatureSetVersion:
    """The version of a feature set that was registered last."""
    return registry.feature_set(name)


@router.get("/{name}/defined-as", responses=answers(examples.REGISTERED))
def find_feature_set(
    registry: Served, name: FeatureSetName, digest: Annotated[str, Query(description="The definition's digest.")]
) -> FeatureSetVersion | None:
    """The version of a feature set whose definition has a digest; null where it is not registered so."""
    return registry.find_feature_set(name, digest)


@router.get("/{name}/versions/{number}", responses=answers(examples.REGISTERED, 404))
def read_feature_set_version(registry: Served, name: FeatureSetName, number: Number) -> FeatureSetVersion:
    """A version of a feature set."""
    return registry.feature_set(name, number)


@router.put("/{name}", responses=answers(examples.REGISTERED, 409, 413))
def register_feature_set(
    registry: Served,
    name: FeatureSetName,
    body: Annotated[RegisterFeatureSet, Body(examples=[examples.plain(examples.REGISTER)])],
) -> FeatureSetVersion:
    """The version of a definition: the one that is there, or a new one. An archived set comes back into use."""
    document = body.definition.get("document")
    if not isinstance(document, dict) or document.get("name") != name:
        msg = f"the definition is not of `{name}`"
        raise InvalidData(msg, "send it to the path with its own name")
    return registry.register_feature_set(body.definition, project=body.project, lineage=body.lineage)


@router.post("/{name}/archive", responses=answers(examples.REGISTERED, 404))
def archive_feature_set(
    registry: Served,
    name: FeatureSetName,
    body: Annotated[Archive, Body(examples=[examples.plain(examples.ARCHIVE)])],
) -> FeatureSetVersion:
    """Take a feature set out of use; its versions stay. Again changes nothing."""
    return registry.archive_feature_set(name, reason=body.reason)
