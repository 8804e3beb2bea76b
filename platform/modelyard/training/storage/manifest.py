"""`model.json`: what a version's files are, and what they need to be used."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from modelyard.config.kinds.model import Task
from modelyard.errors import IntegrityError

MANIFEST = "model.json"
PIPELINE = "model.skops"
GOLDEN = "golden.parquet"
FORMAT = 1
"""The version of the layout; a reader refuses one that it does not know."""


class ModelManifest(BaseModel):
    """What a stored model is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: int = FORMAT
    task: Task
    features: dict[str, str]
    """Feature → number, category or boolean, in the order of the frame's columns."""
    entity: tuple[str, ...] = ()
    """The columns that say whom a prediction is about."""
    classes: tuple[str, ...] = ()
    """The names of the classes, in the order of the predicted columns; the event last in binary classification."""
    boosters: tuple[str, ...] = ()
    """The files of the boosters in the pipeline."""
    bundles: dict[str, str] = {}
    """The project's own modules that the pipeline names, by module, with their digests."""
    libraries: dict[str, str]
    """What fitted it, by version."""


def bundle_file(digest: str) -> str:
    """The name of a bundle's file."""
    return f"bundle-{digest}.zip"


def read_manifest(content: bytes) -> ModelManifest:
    """The manifest in a file.

    Raises:
        IntegrityError: It is none, or of a format that this version of Modelyard does not know.
    """
    try:
        manifest = ModelManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{MANIFEST} is not a model's manifest: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise IntegrityError(reason) from error
    if manifest.format != FORMAT:
        reason = f"the model is stored in format {manifest.format}; this version of Modelyard reads format {FORMAT}"
        raise IntegrityError(reason, "use the version of Modelyard that trained it, or a later one")
    return manifest
