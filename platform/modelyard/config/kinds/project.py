"""The project: `modelyard.yaml`, at the root of a folder of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from modelyard.config.kinds.base import (
    ENVIRONMENT_VARIABLE,
    MODULE_NAME,
    Document,
    Many,
    Name,
    Owner,
    Scalar,
    Settings,
    Timezone,
)

if TYPE_CHECKING:
    from pydantic.config import JsonDict


class FromEnvironment(Settings):
    """A value that an environment variable holds."""

    env: str = Field(pattern=ENVIRONMENT_VARIABLE, examples=["MODELYARD_DATA"])
    """The environment variable's name."""
    default: Scalar | None = None
    """The value where the environment variable is not set; without it, its absence is an error."""


class Defaults(Settings):
    """What documents may leave out."""

    owner: Owner | None = None
    """The team that owns documents which name no owner."""
    timezone: Timezone = "UTC"
    """The timezone of documents which name none."""


def _var_tag(value: object) -> str:
    if isinstance(value, FromEnvironment) or (isinstance(value, dict) and "env" in value):
        return "<env>"
    return "<by environment>" if isinstance(value, dict) else "<scalar>"


_NO_ENV: JsonDict = {"propertyNames": {"not": {"const": "env"}}}  # as a key it begins a FromEnvironment
VarValue = Annotated[
    Annotated[Scalar, Tag("<scalar>")] | Annotated[FromEnvironment, Tag("<env>")], Discriminator(_var_tag)
]
Var = Annotated[
    Annotated[Scalar, Tag("<scalar>")]
    | Annotated[FromEnvironment, Tag("<env>")]
    | Annotated[dict[str, VarValue], Field(min_length=1, json_schema_extra=_NO_ENV), Tag("<by environment>")],
    Discriminator(_var_tag),
]
ModuleName = Annotated[str, Field(pattern=MODULE_NAME, examples=["lightgbm", "./estimators"])]


class Project(Document):
    """A folder of documents that belong together: its name, defaults, variables and allowed modules."""

    kind: Literal["Project"]
    """The kind of document."""
    defaults: Defaults = Defaults()
    """What documents may leave out."""
    modules: Many[ModuleName] = ("sklearn",)
    """The modules whose classes pipelines may name: sklearn, lightgbm, xgboost, or a folder here, as ./estimators."""
    vars: dict[Name, Var] = Field(default={}, examples=[{"data": {"env": "MODELYARD_DATA", "default": "data"}}])
    """Values that documents insert as ${name}: one value, or one per environment, `default` for those not named."""
