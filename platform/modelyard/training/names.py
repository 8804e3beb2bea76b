"""Column names that every library takes.

LightGBM refuses names with JSON's special characters and XGBoost those with brackets; encoded categories
bring both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_SPECIAL = re.compile(r"[^\w.+-]")


def plain_names(names: Sequence[str]) -> list[str]:
    """The names with special characters replaced, made unique where that made two the same."""
    taken: set[str] = set()
    plain = []
    for name in names:
        base = candidate = _SPECIAL.sub("_", str(name))
        count = 1
        while candidate in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate)
        plain.append(candidate)
    return plain


class PlainNames(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Gives a frame's columns plain names, the same at every call. Anything but a frame passes unchanged."""

    def fit(self, X: Any, y: Any = None) -> PlainNames:  # noqa: ARG002 - the signature is scikit-learn's
        """Learn the columns' names."""
        self.names_ = plain_names([str(name) for name in X.columns]) if hasattr(X, "columns") else None
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """The same values under plain names; what is no frame comes back as it is."""
        check_is_fitted(self, "names_")
        renamed: pd.DataFrame = X if self.names_ is None else X.set_axis(self.names_, axis="columns")
        return renamed

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """The plain names."""
        import numpy as np

        return np.asarray(self.names_ if self.names_ is not None else input_features, dtype=object)
