"""The project: `modelyard.yaml`, at the root of a folder of documents."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelyard.config.kinds.base import Document, Many, Owner, Scalar, Settings, Timezone


class FromEnvironment(Settings):
    """A value that an environment variable holds."""

    env: str = Field(pattern=r"^[A-Z_][A-Z0-9_]*$", examples=["MODELYARD_DATA"])
    """The environment variable's name."""
    default: Scalar | None = None
    """The value where the environment variable is not set; without it, its absence is an error."""


class Defaults(Settings):
    """What documents may leave out."""

    owner: Owner | None = None
    """The team that owns documents which name no owner."""
    timezone: Timezone = "UTC"
    """The timezone of documents which name none."""


VarName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ModuleName = Annotated[str, Field(pattern=r"^(\./)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*$")]


class Project(Document):
    """A folder of documents that belong together: its name, defaults, variables and allowed modules."""

    kind: Literal["Project"]
    """Project."""
    defaults: Defaults = Defaults()
    """What documents may leave out."""
    modules: Many[ModuleName] = ("sklearn",)
    """The modules whose classes pipelines may name: sklearn, lightgbm, xgboost, or a folder here, as ./estimators."""
    vars: dict[VarName, Scalar | FromEnvironment | dict[str, Scalar | FromEnvironment]] = {}
    """Values that documents insert as ${name}: one value, or one per environment, `default` for those not named."""
