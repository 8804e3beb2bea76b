"""A check of what native code believes in a loaded pipeline: that trees are trees, and splines have their knots.

skops rebuilds these from arrays of the file without looking into them; scikit-learn and SciPy then follow the indices
without bounds. One more such type is one more line in `CHECKS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from modelyard.errors import IntegrityError
from modelyard.training.storage.graph import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


def check_structure(pipeline: Any) -> None:
    """Check every such object in a loaded pipeline.

    Raises:
        IntegrityError: One is malformed.
    """
    for found in walk(pipeline):
        check = CHECKS.get(f"{type(found).__module__}.{type(found).__qualname__}")
        if check is not None:
            check(found)
        features = getattr(found, "n_features_in_", None)
        if features is not None:
            _check_owner(found, features)


def _check_owner(estimator: Any, features: int) -> None:
    """An estimator compares a frame's width with its own `n_features_in_`, and its trees believe that it did."""
    attributes = getattr(estimator, "__dict__", {})
    tree = attributes.get("tree_")
    if tree is not None and tree.n_features != features:
        _refuse(f"a tree is made for {tree.n_features} features and its estimator for {features}")
    for predictor in np.ravel(np.array(attributes.get("_predictors", []), dtype=object)):
        if (predictor.nodes["feature_idx"] >= features).any():
            _refuse("a tree splits on a feature that its estimator does not have")


def check_tree(tree: Any) -> None:
    """Check a `sklearn.tree._tree.Tree`."""
    if tree.node_count > tree.capacity:
        _refuse("a tree has fewer nodes than it says")
    nodes = tree.__getstate__()["nodes"]
    inner = nodes["left_child"] != -1
    _check_children(nodes, inner, ("left_child", "right_child"))
    splits = nodes["feature"][inner]
    if ((splits < 0) | (splits >= tree.n_features)).any():
        _refuse("a tree splits on a feature that it does not have")


def check_predictor(predictor: Any) -> None:
    """Check a tree of scikit-learn's histogram gradient boosting."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes = predictor.nodes
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        _refuse("a tree's nodes are of another type")
    inner = nodes["is_leaf"] == 0
    _check_children(nodes, inner, ("left", "right"))
    if (nodes["feature_idx"][inner] < 0).any():
        _refuse("a tree splits on a feature that it does not have")
    used = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    for bitsets in (predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets):
        if bitsets.ndim != 2 or bitsets.shape[1] != 8 or (used >= len(bitsets)).any():  # noqa: PLR2004 - 256 bits
            _refuse("a tree names categories that it does not have")


def check_spline(spline: Any) -> None:
    """Check a `scipy.interpolate.BSpline`, as its own constructor would."""
    knots, coefficients, degree = np.asarray(spline.t), np.asarray(spline.c), spline.k
    is_whole = isinstance(degree, int) and degree >= 0 and knots.ndim == 1 and coefficients.ndim >= 1
    if not is_whole or knots.dtype != np.float64 or len(knots) != len(coefficients) + degree + 1:
        _refuse("a spline has another number of knots than of coefficients")
    if not np.isfinite(knots).all() or (np.diff(knots) < 0).any():
        _refuse("a spline's knots are not in order")


def _check_children(nodes: Any, inner: npt.NDArray[np.bool_], sides: tuple[str, str]) -> None:
    """Children are numbered after their parents, so that every path ends."""
    own = np.flatnonzero(inner)
    for side in sides:
        children = nodes[side][inner].astype(np.int64)
        if ((children <= own) | (children >= len(nodes))).any():
            _refuse("a tree has a child that it does not have, or a cycle")


def _refuse(what: str) -> NoReturn:
    reason = f"the stored pipeline is malformed: {what}"
    raise IntegrityError(reason)


CHECKS: dict[str, Callable[[Any], None]] = {
    "sklearn.tree._tree.Tree": check_tree,
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": check_predictor,
    "scipy.interpolate._bsplines.BSpline": check_spline,
}
"""The types that are checked, by their full names: to look for them loads nothing."""
