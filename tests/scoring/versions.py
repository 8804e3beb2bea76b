"""Models and versions in a registry, made as a run makes them, with any files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard.registry.records import Artifact, FeatureSetPin, Pins, VersionClaim
from modelyard.registry.transfer import upload_artifacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.registry.registry import Registry


def plain_definition(name: str, **document: Any) -> dict[str, Any]:
    """The content of a model over a plain table."""
    return {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "Model",
            "name": name,
            "task": "regression",
            "data": {"labels": {"source": "flats", "label": "price"}, "features": [{"source": "flats"}]},
            **document,
        },
        "pipeline": [{"use": "sklearn.linear_model.LinearRegression"}],
        "sources": {
            "flats": {
                "apiVersion": "modelyard/v1",
                "kind": "Source",
                "name": "flats",
                "format": "csv",
                "path": "flats.csv",
                "columns": {"size": "double", "price": "double"},
            }
        },
    }


def apply(registry: Registry, definition: Mapping[str, Any]) -> str:
    """Apply a definition for the first time; the model's name."""
    return registry.apply_model(definition, project="tests", expected_revision=0).name


def register(
    registry: Registry, model: str, files: Mapping[str, bytes], *, feature_sets: Sequence[FeatureSetPin] = ()
) -> int:
    """Register a version of a model with these files; its number."""
    content = json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in files.items()})
    identity = hashlib.sha256(f"{model} {registry.model(model).latest} {content}".encode()).hexdigest()
    pins = Pins(
        config=identity, code=identity, environment=identity, training_set=identity, feature_sets=tuple(feature_sets)
    )
    artifacts = tuple(
        Artifact(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for path, data in files.items()
    )
    claim = registry.claim(
        VersionClaim(model=model, key=identity, request=identity, pins=pins, artifacts=artifacts, run=None)
    )
    with TemporaryDirectory() as folder:
        for path, data in files.items():
            (Path(folder) / path).write_bytes(data)
        upload_artifacts(claim, Path(folder))
    return registry.complete(model, claim.version.number).number
