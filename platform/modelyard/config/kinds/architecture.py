"""Architecture: a reusable pipeline of classes with the scikit-learn interface."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from modelyard.config.kinds.base import DOTTED_NAME, Argument, Document, Many, Name, Owner, Settings, text_or_list

DottedName = Annotated[str, Field(pattern=DOTTED_NAME, examples=["lightgbm.LGBMClassifier"])]
ColumnSteps = Literal["drop", "passthrough"]


class Use(Settings):
    """A class of an allowed module, and the arguments it is made with."""

    use: DottedName
    """The class, by its dotted name."""
    with_: dict[str, Argument] = Field(default={}, alias="with", examples=[{"n_estimators": 400}])
    """Its arguments. A mapping with `use` in it is built too, at any depth; ${name} inserts a parameter."""


ColumnGroup = Annotated[
    Annotated[ColumnSteps, Tag("<text>")] | Annotated[Many[Use], Field(min_length=1), Tag("<list>")],
    Discriminator(text_or_list),
]


class Columns(Settings):
    """A step that treats columns apart."""

    columns: dict[str, ColumnGroup] = Field(min_length=1)
    """Steps for `numeric` or `categorical` columns, or for columns by name (several with commas).

    A named column is in no other group.
    """
    remainder: ColumnSteps = "drop"
    """What becomes of columns in no group."""


def _step_tag(value: object) -> str:
    return "<columns>" if isinstance(value, Columns) or (isinstance(value, dict) and "columns" in value) else "<use>"


Step = Annotated[Annotated[Use, Tag("<use>")] | Annotated[Columns, Tag("<columns>")], Discriminator(_step_tag)]


class Architecture(Document):
    """A reusable pipeline: any framework with, or wrapped into, the scikit-learn interface."""

    kind: Literal["Architecture"]
    """The kind of document."""
    owner: Owner | None = None
    """The team that owns it; the project's default owner unless said."""
    pipeline: Many[Step] = Field(min_length=1)
    """The steps, in order; the last one predicts."""
    parameters: dict[Name, Argument] = {}
    """What a model may set in its `with`, with the value where it does not."""
