"""Small fitted models, their files, and ways to change a file."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from lightgbm import LGBMClassifier
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from modelyard.training.frames import to_frame
from modelyard.training.storage.manifest import ModelManifest
from modelyard.training.storage.stored import StoredModel, load, store
from tests.training import yard

if TYPE_CHECKING:
    Files = dict[str, bytes]

FEATURES = {"amount": "number", "repeat": "boolean", "kind": "number"}
LABEL = yard.table(200).column("__label").to_numpy()
KIND = np.arange(200) % 3 + LABEL


def few(**more: Any) -> LGBMClassifier:
    """A small LightGBM classifier."""
    return LGBMClassifier(**{"n_estimators": 5, "verbosity": -1, "min_child_samples": 5, **more})


def trees(**more: Any) -> XGBClassifier:
    """A small XGBoost classifier."""
    return XGBClassifier(**{"n_estimators": 5, "max_depth": 3, **more})


def rows() -> pa.Table:
    """Rows of numbers without gaps, `kind` being a category's number."""
    table = yard.table(200)
    amount, repeat = table.column("amount").fill_null(0.0), table.column("repeat").fill_null(False)
    return pa.table({"amount": amount, "repeat": repeat, "kind": KIND})


def fitted(made: Any, label: Any = None, **more: Any) -> Any:
    """A pipeline of one step, fitted on the rows."""
    return make_pipeline(made).fit(to_frame(rows(), FEATURES), LABEL if label is None else label, **more)


def on_categories(made: LGBMClassifier) -> Any:
    """A LightGBM classifier in a pipeline, fitted with `kind` as a category."""
    return fitted(made, lgbmclassifier__categorical_feature=[2])


def model(pipeline: Any, **more: Any) -> StoredModel:
    """A fitted pipeline as a model."""
    given = {"task": "binary_classification", "features": FEATURES, "classes": ("0", "1"), "libraries": {}}
    return StoredModel(ModelManifest.model_validate({**given, **more}), pipeline)


def files_of(pipeline: Any, **more: Any) -> Files:
    """The files of a fitted pipeline."""
    return store(model(pipeline, **more), rows(), {}, {})


def reload(files: Files) -> StoredModel:
    """The model of some files."""
    return load(files.__getitem__, {})


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of some members."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """The members of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
