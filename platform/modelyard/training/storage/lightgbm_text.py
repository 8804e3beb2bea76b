"""A check of LightGBM's model text before LightGBM reads it.

LightGBM's reader believes the counts and indices of the text: a wrong one makes it write outside of its memory or
predict without end. So everything that it uses as a count, an index or a length is checked here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from modelyard.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Fields = Mapping[str, str]

MAX_TREES = 200_000
MAX_FEATURES = 10_000_000
MAX_CLASSES = 10_000
_BLOCK = re.compile(r"^Tree=", re.MULTILINE)


def check_lightgbm(text: str) -> None:
    """Check that a model's text is whole and that its trees are trees.

    Raises:
        IntegrityError: It is not; the reason says where.
    """
    body, ended, _ = text.partition("\nend of trees\n")
    head, *blocks = _BLOCK.split(body)
    if not head.startswith("tree\n") or not ended:
        _refuse("it does not begin and end as LightGBM's model text does")
    header = _fields(head)
    features = _count(header, "max_feature_idx", "header", most=MAX_FEATURES) + 1
    per_iteration = _count(header, "num_tree_per_iteration", "header", most=MAX_CLASSES)
    _count(header, "num_class", "header", most=MAX_CLASSES)
    if not per_iteration or len(blocks) > MAX_TREES or len(blocks) % per_iteration:
        _refuse(f"it has {len(blocks)} trees, {per_iteration} an iteration")
    for key in ("feature_names", "feature_infos"):
        if len(header.get(key, "").split(" ")) != features:
            _refuse(f"its header has another number of {key} than of features")
    _check_sizes(header, blocks)
    for number, block in enumerate(blocks):
        _check_tree(_fields(block.partition("\n")[2]), features, f"tree {number}")


def _check_sizes(header: Fields, blocks: list[str]) -> None:
    """LightGBM jumps from tree to tree by these sizes, without looking."""
    if "tree_sizes" not in header:
        _refuse("its header has no tree_sizes")
    sizes = _whole_numbers(header, "tree_sizes", "header") if blocks else np.zeros(0, dtype=np.int64)
    actual = [len(f"Tree={block}".encode()) for block in blocks]
    if actual:
        actual[-1] += 1  # the line break before `end of trees`, which ended the text that was split
    if sizes.tolist() != actual:
        _refuse("its tree_sizes are not the sizes of its trees")


def _check_tree(tree: Fields, features: int, place: str) -> None:
    leaves = _count(tree, "num_leaves", place, most=1 << 24)
    if leaves < 1:
        _refuse(f"{place} has no leaf")
    _sized(tree, "leaf_value", leaves, place)
    if leaves > 1:
        _check_nodes(tree, leaves, features, place)
    if tree.get("is_linear", "0") != "0":
        _check_linear(tree, leaves, features, place)


def _check_nodes(tree: Fields, leaves: int, features: int, place: str) -> None:
    nodes = leaves - 1
    for key in ("threshold", "decision_type"):
        _sized(tree, key, nodes, place)
    children = np.concatenate([_whole_numbers(tree, key, place, nodes) for key in ("left_child", "right_child")])
    parents = np.tile(np.arange(nodes), 2)
    # A child that is a node is numbered after its parent; a leaf n is written as -n - 1. Each is reached once.
    if (children >= nodes).any() or (children < -leaves).any() or ((children >= 0) & (children <= parents)).any():
        _refuse(f"{place} has a child that it does not have, or a cycle")
    if len(np.unique(children)) != len(children):
        _refuse(f"{place} reaches a node or a leaf twice")
    splits = _whole_numbers(tree, "split_feature", place, nodes)
    if ((splits < 0) | (splits >= features)).any():
        _refuse(f"{place} splits on a feature that the model does not have")
    _check_categories(tree, nodes, place)


def _check_categories(tree: Fields, nodes: int, place: str) -> None:
    is_category = (_whole_numbers(tree, "decision_type", place, nodes) & 1).astype(bool)
    categories = _count(tree, "num_cat", place, most=1 << 24)
    if not categories:
        if is_category.any():
            _refuse(f"{place} splits on categories, but has none")
        return
    bounds = _whole_numbers(tree, "cat_boundaries", place, categories + 1)
    words = _whole_numbers(tree, "cat_threshold", place)
    if bounds[0] != 0 or (np.diff(bounds) < 0).any() or bounds[-1] != len(words):
        _refuse(f"{place} has wrong bounds of its categories")
    used = np.array([float(value) for value in tree["threshold"].split(" ")])[is_category]
    if ((used < 0) | (used >= categories) | (used != np.floor(used))).any():
        _refuse(f"{place} names categories that it does not have")


def _check_linear(tree: Fields, leaves: int, features: int, place: str) -> None:
    _sized(tree, "leaf_const", leaves, place)
    counts = _whole_numbers(tree, "num_features", place, leaves)
    used = np.array(tree.get("leaf_features", "").split(), dtype=np.int64)
    if (counts < 0).any() or counts.sum() != len(used) or counts.sum() != len(tree.get("leaf_coeff", "").split()):
        _refuse(f"{place} has other numbers of terms than it says")
    if ((used < 0) | (used >= features)).any():
        _refuse(f"{place} has a term on a feature that the model does not have")


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _count(fields: Fields, key: str, place: str, *, most: int) -> int:
    written = fields.get(key, "")
    if not re.fullmatch(r"\d{1,9}", written) or int(written) > most:
        _refuse(f"{place} has `{written[:20]}` as {key}")
    return int(written)


def _sized(fields: Fields, key: str, size: int, place: str) -> list[str]:
    values = fields.get(key, "").split(" ")
    if len(values) != size:
        _refuse(f"{place} has {len(values)} values of {key} instead of {size}")
    return values


def _whole_numbers(fields: Fields, key: str, place: str, size: int | None = None) -> npt.NDArray[np.int64]:
    values = fields.get(key, "").split(" ") if size is None else _sized(fields, key, size, place)
    if not all(re.fullmatch(r"-?\d{1,10}", value) for value in values):
        _refuse(f"{place} has something else than whole numbers as {key}")
    return np.array(values, dtype=np.int64)


def _refuse(what: str) -> NoReturn:
    reason = f"the LightGBM file is malformed: {what}"
    raise IntegrityError(reason)
