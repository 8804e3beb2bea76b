"""What datasets are called, and which names may be: such as every back-end can use as a path or a key.

One more kind of dataset is one more function here.
"""

from __future__ import annotations

import re

from modelyard.errors import InvalidData

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""Never a dot or an underscore first: `..` is no name, and a back-end's own folders begin with an underscore."""

_DATASET = re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,3}}")
_PARTITION = re.compile(_SEGMENT)


ALL = "all"
"""The one partition of a dataset that is not kept by days."""


def features_dataset(feature_set: str, version: int) -> str:
    """The dataset of a feature set's values: a partition a day."""
    return f"features/{feature_set}/{version}"


def training_set_dataset(request: str) -> str:
    """The dataset of what a request asks for, by the request's digest: one partition."""
    return f"training_sets/{request}"


def predictions_dataset(model: str, version: int) -> str:
    """The dataset of what a version predicts: a partition a day."""
    return f"predictions/{model}/{version}"


def checked_dataset(name: str) -> str:
    """The name, if it is one of a dataset: up to four segments.

    Raises:
        InvalidData: It is not.
    """
    return _checked(_DATASET, name, "dataset")


def checked_partition(name: str) -> str:
    """The name, if it is one of a partition.

    Raises:
        InvalidData: It is not.
    """
    return _checked(_PARTITION, name, "partition")


def _checked(pattern: re.Pattern[str], name: str, what: str) -> str:
    if pattern.fullmatch(name) is None:
        reason = f"{name!r} is not the name of a {what}"
        raise InvalidData(reason, "names are letters, digits, dots, hyphens and underscores, as in predictions/ke/7")
    return name
