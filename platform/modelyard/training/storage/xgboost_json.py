"""A check of XGBoost's model JSON before XGBoost reads it: counts, lengths and indices, so that trees are trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from modelyard.errors import IntegrityError

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_FEATURES = 10_000_000
MAX_CLASSES = 10_000
_PER_NODE = ("base_weights", "default_left", "loss_changes", "parents", "split_conditions", "split_type", "sum_hessian")


def check_xgboost(document: Any) -> None:
    """Check that a model's document is whole and that its trees are trees.

    Raises:
        IntegrityError: It is not; the reason says where.
    """
    try:
        learner = document["learner"]
        sizes = learner["learner_model_param"]
        features, classes = int(sizes["num_feature"]), int(sizes["num_class"])
        booster = learner["gradient_booster"]
        if not 0 < features <= MAX_FEATURES or not 0 <= classes <= MAX_CLASSES or int(sizes.get("num_target", 1)) != 1:
            _refuse(f"it has {features} features and {classes} classes")
        _check_booster(booster, features, max(classes, 1))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = f"the XGBoost file is malformed: {type(error).__name__}: {error}"
        raise IntegrityError(reason) from error


def _check_booster(booster: dict[str, Any], features: int, classes: int) -> None:
    name = booster["name"]
    if name == "gblinear":
        if len(booster["model"]["weights"]) != (features + 1) * classes:
            _refuse("it has another number of weights than of features")
        return
    if name not in ("gbtree", "dart"):
        _refuse(f"`{name}` is no kind of booster")
    inner = booster if name == "gbtree" else booster["gbtree"]
    model = inner["model"]
    trees = model["trees"]
    if name == "dart" and len(booster["weight_drop"]) != len(trees):
        _refuse("it has another number of tree weights than of trees")
    if int(model["gbtree_model_param"]["num_trees"]) != len(trees):
        _refuse("it has another number of trees than it says")
    _check_iterations(model, len(trees), classes)
    if model.get("cats", {}).get("enc"):
        _refuse("it holds categories of a data frame, which the platform's frames do not have")
    for number, tree in enumerate(trees):
        _check_tree(tree, features, f"tree {number}")


def _check_iterations(model: dict[str, Any], trees: int, classes: int) -> None:
    groups, bounds = _whole(model["tree_info"]), _whole(model["iteration_indptr"])
    if len(groups) != trees or ((groups < 0) | (groups >= classes)).any():
        _refuse("it has trees of classes that it does not have")
    if bounds[0] != 0 or (np.diff(bounds) < 0).any() or bounds[-1] != trees:
        _refuse("its iterations are not made of its trees")


def _check_tree(tree: dict[str, Any], features: int, place: str) -> None:
    nodes, is_vector = int(tree["tree_param"]["num_nodes"]), tree["tree_param"]["size_leaf_vector"] not in ("0", "1")
    if nodes < 1 or is_vector or int(tree["tree_param"]["num_feature"]) != features:
        _refuse(f"{place} has {nodes} nodes, or is not made for {features} features")
    left, right, splits = (_whole(tree[key]) for key in ("left_children", "right_children", "split_indices"))
    if {len(left), len(right), len(splits), *(len(tree[key]) for key in _PER_NODE)} != {nodes}:
        _refuse(f"{place} has lists of other lengths than its {nodes} nodes")
    inner = left != -1
    own = np.arange(nodes)
    # Children are numbered after their parents, so that there is no cycle; a leaf has none.
    for children in (left, right):
        if ((children[inner] <= own[inner]) | (children[inner] >= nodes)).any() or (children[~inner] != -1).any():
            _refuse(f"{place} has a child that it does not have, or a cycle")
    reached = np.concatenate([left[inner], right[inner]])
    if len(np.unique(reached)) != len(reached):
        _refuse(f"{place} reaches a node twice")
    if ((splits[inner] < 0) | (splits[inner] >= features)).any():
        _refuse(f"{place} splits on a feature that the model does not have")
    _check_categories(tree, nodes, place)


def _check_categories(tree: dict[str, Any], nodes: int, place: str) -> None:
    words = len(tree["categories"])
    at, starts, sizes = (_whole(tree[f"categories_{key}"]) for key in ("nodes", "segments", "sizes"))
    is_category = set(np.flatnonzero(_whole(tree["split_type"])).tolist())
    if set(at.tolist()) != is_category or not len(at) == len(starts) == len(sizes):
        _refuse(f"{place} names categories at other nodes than those that split on them")
    outside = (at < 0) | (at >= nodes) | (starts < 0) | (sizes < 0) | (starts + sizes > words)
    if outside.any():
        _refuse(f"{place} names categories that it does not have")


def _whole(values: Any) -> npt.NDArray[np.int64]:
    numbers = np.asarray(values, dtype=np.float64) if len(values) else np.zeros(0)
    if numbers.ndim != 1 or not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        _refuse("a list of whole numbers holds something else")
    return numbers.astype(np.int64)


def _refuse(what: str) -> NoReturn:
    reason = f"the XGBoost file is malformed: {what}"
    raise IntegrityError(reason)
