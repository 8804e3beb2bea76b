"""A stored model, ready to predict; and the files that make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import IntegrityError, NotFound, UsageError
from modelyard.training.bundles import bundled_classes, import_bundle
from modelyard.training.identity import library_versions
from modelyard.training.storage import skops_file
from modelyard.training.storage.boosters import boosters_apart, put_back
from modelyard.training.storage.cache import fetch
from modelyard.training.storage.golden import golden_rows, replay
from modelyard.training.storage.manifest import (
    GOLDEN,
    MANIFEST,
    PIPELINE,
    ModelManifest,
    bundle_file,
    read_manifest,
)
from modelyard.training.storage.structure import check_structure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from modelyard.registry.registry import Registry


@dataclass(frozen=True)
class StoredModel:
    """A fitted pipeline with what is known of it."""

    manifest: ModelManifest
    pipeline: Any

    @property
    def features(self) -> dict[str, str]:
        """Feature → kind, in the order of the frame's columns: what `to_frame` makes the frame with."""
        return self.manifest.features

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the predicted columns in multiclass classification."""
        return self.manifest.classes

    def predict(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Predictions for the rows of a frame that `to_frame` made.

        Returns:
            Binary classification: the probability of the event. Multiclass classification: rows × classes.
            Regression: the values.
        """
        return predict(self.pipeline, frame, self.manifest.task, len(self.manifest.classes))


def predict(pipeline: Any, frame: pd.DataFrame, task: str, classes: int) -> npt.NDArray[np.float64]:
    """What a fitted pipeline predicts for a frame, a column for each class that there is, fitted on or not."""
    if task == "regression":
        return np.asarray(pipeline.predict(frame), dtype=np.float64).reshape(len(frame))
    probabilities = np.zeros((len(frame), classes))
    probabilities[:, pipeline.classes_.astype(np.intp)] = pipeline.predict_proba(frame)
    return probabilities[:, 1] if task == "binary_classification" else probabilities


def store(
    model: StoredModel, table: pa.Table, packages: Mapping[str, str], bundles: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of a model, by name. They are loaded once and replayed before they are handed out.

    Args:
        model: The fitted model; its manifest's `boosters` are filled in here.
        table: Where golden rows are taken from, as it was read.
        packages: The packages of the imported bundles, by module.
        bundles: The bundles' zips, by module.

    Raises:
        InvalidData: The pipeline holds something that may not be stored.
        IntegrityError: What was stored does not come back as it was.
    """
    classes = [name for package in packages.values() for name in bundled_classes(package)]
    with boosters_apart(model.pipeline) as boosters:
        pipeline = skops_file.dump(model.pipeline, classes)
    manifest = model.manifest.model_copy(update={"boosters": tuple(boosters)})
    files = {
        MANIFEST: manifest.model_dump_json(indent=2).encode(),
        PIPELINE: pipeline,
        GOLDEN: golden_rows(table, model.features, model.predict),
        **boosters,
        **{bundle_file(manifest.bundles[module]): content for module, content in bundles.items()},
    }
    load(files.__getitem__, packages)
    return files


def load(read: Callable[[str], bytes], packages: Mapping[str, str]) -> StoredModel:
    """The model in some files.

    Args:
        read: From a file's name to its bytes.
        packages: The packages of the imported bundles, by module.

    Raises:
        IntegrityError: A file is not what it should be, or the model predicts its golden rows differently.
    """
    manifest = read_manifest(read(MANIFEST))
    classes = [name for package in packages.values() for name in bundled_classes(package)]
    pipeline = skops_file.load(read(PIPELINE), classes)
    check_structure(pipeline)
    put_back(pipeline, {name: read(name) for name in manifest.boosters})
    model = StoredModel(manifest, pipeline)
    replay(read(GOLDEN), manifest.features, model.predict, manifest.libraries, library_versions())
    return model


def load_version(
    registry: Registry, model: str, number: int, cache: Path, *, allow_bundles: bool = False
) -> StoredModel:
    """A registered version, verified and replayed.

    Args:
        registry: Where it is registered.
        model: The model's name.
        number: The version's number.
        cache: A folder for files that were downloaded.
        allow_bundles: Whether the project code that it was trained with may be imported.

    Raises:
        NotFound: There is no such version, or its bytes are gone.
        UsageError: It needs project code, which is not allowed here.
        IntegrityError: Its files are not what was registered, or it predicts its golden rows differently.
    """
    version = registry.version(model, number)
    artifacts = {artifact.path: artifact for artifact in version.artifacts}

    def read(path: str) -> bytes:
        if path not in artifacts:
            reason = f"version {number} of `{model}` has no `{path}`"
            raise IntegrityError(reason)
        return fetch(registry, version, artifacts[path], cache)

    if version.state == "DELETED":
        reason = f"version {number} of `{model}` is deleted"
        raise NotFound(reason, "its record stays for the history; its files are gone")
    try:
        return load(read, _import_bundles(read, allow_bundles=allow_bundles))
    except IntegrityError as error:
        reason = f"version {number} of `{model}` can't be loaded: {error.reason}"
        raise IntegrityError(reason, error.hint) from error


def _import_bundles(read: Callable[[str], bytes], *, allow_bundles: bool) -> dict[str, str]:
    bundles = read_manifest(read(MANIFEST)).bundles
    if bundles and not allow_bundles:
        reason = f"the model needs project code ({', '.join(f'`{module}`' for module in bundles)})"
        raise UsageError(reason, "set MODELYARD_ALLOW_BUNDLES=1 where that code may run")
    return {module: import_bundle(read(bundle_file(digest)), digest) for module, digest in bundles.items()}
