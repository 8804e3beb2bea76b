"""Boosters' files: everything that their libraries would believe is checked before they read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import IntegrityError
from modelyard.training.storage.boosters import StoredBooster, boosters_apart, put_back
from modelyard.training.storage.lightgbm_text import check_lightgbm
from modelyard.training.storage.xgboost_json import check_xgboost
from tests.training.models import few, files_of, fitted, on_categories, reload, trees

if TYPE_CHECKING:
    Files = dict[str, bytes]


@pytest.fixture(scope="module")
def lightgbm_files() -> Files:
    return files_of(on_categories(few(min_data_per_group=1, cat_smooth=0.1)))


@pytest.fixture(scope="module")
def xgboost_files() -> Files:
    return files_of(fitted(trees()))


BOOSTER = "booster-0.txt"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("tree\n", "wood\n"),
        ("end of trees", "end of tree"),
        ("num_class=1", "num_class=99999"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=3"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=0"),
        ("max_feature_idx=2", "max_feature_idx=7"),
        ("max_feature_idx=2", "max_feature_idx=-1"),
        ("feature_names=amount repeat kind", "feature_names=amount"),
        ("tree_sizes=", "tree_sizes=1 "),
        ("tree_sizes", "sizes"),
    ],
)
def test_lightgbm_text_whose_head_lies_is_refused(lightgbm_files: Files, was: str, becomes: str) -> None:
    text = lightgbm_files[BOOSTER].decode()
    assert was in text
    with pytest.raises(IntegrityError, match="the LightGBM file is malformed"):
        reload({**lightgbm_files, BOOSTER: text.replace(was, becomes, 1).encode()})


def lying_trees(text: str, key: str, value: str) -> str:
    """A model's text with one line of its first tree that has it changed, and the sizes put right again."""
    head, end, tail = text.partition("\nend of trees\n")
    first, *blocks = head.split("\nTree=")
    at = next(index for index, block in enumerate(blocks) if f"\n{key}=" in block)
    lines = blocks[at].split("\n")
    blocks[at] = "\n".join(f"{key}={value}" if line.startswith(f"{key}=") else line for line in lines)
    sizes = " ".join(str(len(f"Tree={block}\n".encode())) for block in blocks)
    lines = [f"tree_sizes={sizes}" if line.startswith("tree_sizes=") else line for line in first.split("\n")]
    return "\nTree=".join(["\n".join(lines), *blocks]) + end + tail


def line_of(text: str, key: str) -> str:
    return next(line for line in text.split("\n") if line.startswith(f"{key}=")).partition("=")[2]


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("num_leaves", lambda old: "1000000"),  # noqa: ARG005 - whatever it was
        ("num_leaves", lambda old: "0"),  # noqa: ARG005 - whatever it was
        ("num_leaves", lambda old: "x"),  # noqa: ARG005 - whatever it was
        ("leaf_value", lambda old: f"{old} 1"),
        ("left_child", lambda old: f"999 {old.partition(' ')[2]}"),
        ("left_child", lambda old: f"0 {old.partition(' ')[2]}"),
        ("left_child", lambda old: f"-999 {old.partition(' ')[2]}"),
        ("left_child", lambda old: f"0.5 {old.partition(' ')[2]}"),
        ("right_child", lambda old: f"-1 {old.partition(' ')[2]}"),
        ("right_child", lambda old: f"{old} -1"),
        ("split_feature", lambda old: f"77 {old.partition(' ')[2]}"),
        ("threshold", lambda old: old.partition(" ")[2]),
        ("num_cat", lambda old: "77"),  # noqa: ARG005 - whatever it was
        ("cat_boundaries", lambda old: "0 99"),  # noqa: ARG005 - whatever it was
        ("cat_boundaries", lambda old: "1 1"),  # noqa: ARG005 - whatever it was
    ],
)
def test_lightgbm_trees_that_are_none_are_refused(lightgbm_files: Files, key: str, change: Any) -> None:
    text = lightgbm_files[BOOSTER].decode()
    block = next(block for block in text.split("\nTree=")[1:] if f"\n{key}=" in block)
    lying = lying_trees(text, key, change(line_of(block, key)))
    check_lightgbm(lying_trees(text, key, line_of(block, key)))
    with pytest.raises(IntegrityError, match="the LightGBM file is malformed: tree"):
        reload({**lightgbm_files, BOOSTER: lying.encode()})


def test_categories_that_are_not_there_are_refused(lightgbm_files: Files) -> None:
    text = lightgbm_files[BOOSTER].decode()
    alone = "\nTree=".join(
        [text.split("\nTree=")[0], next(one for one in text.split("\nTree=") if "\nnum_cat=1" in one)]
    )
    text = f"{alone.rstrip()}\n\n\nend of trees\n"
    kinds, thresholds = line_of(text, "decision_type").split(), line_of(text, "threshold").split()
    thresholds[next(index for index, kind in enumerate(kinds) if int(kind) & 1)] = "5"
    check_lightgbm(lying_trees(text, "num_cat", "1"))
    with pytest.raises(IntegrityError, match="names categories that it does not have"):
        check_lightgbm(lying_trees(text, "threshold", " ".join(thresholds)))
    with pytest.raises(IntegrityError, match="splits on categories, but has none"):
        check_lightgbm(lying_trees(text, "num_cat", "0"))


@pytest.mark.parametrize(("key", "value"), [("leaf_const", "1"), ("num_features", "9 9"), ("leaf_features", "77")])
def test_lightgbm_linear_leaves_that_lie_are_refused(key: str, value: str) -> None:
    with boosters_apart(fitted(few(linear_tree=True, num_leaves=2))) as files:
        text = files[BOOSTER].decode()
    check_lightgbm(text)
    with pytest.raises(IntegrityError, match="the LightGBM file is malformed: tree"):
        check_lightgbm(lying_trees(text, key, value))


def model_json(files: Files) -> Any:
    return json.loads(files["booster-0.json"])


def put(document: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for key in way:
        document = document[int(key)] if isinstance(document, list) else document[key]
    document[int(last) if isinstance(document, list) else last] = value


TREE = "learner.gradient_booster.model.trees.0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("learner.learner_model_param.num_feature", "0"),
        ("learner.learner_model_param.num_class", "99999"),
        ("learner.learner_model_param.num_target", "5"),
        ("learner.gradient_booster.name", "gbunknown"),
        ("learner.gradient_booster.model.gbtree_model_param.num_trees", "9"),
        ("learner.gradient_booster.model.tree_info.0", 3),
        ("learner.gradient_booster.model.iteration_indptr.0", 1),
        ("learner.gradient_booster.model.cats", {"enc": [1]}),
        (f"{TREE}.tree_param.num_nodes", "99"),
        (f"{TREE}.tree_param.num_feature", "99"),
        (f"{TREE}.tree_param.size_leaf_vector", "4"),
        (f"{TREE}.left_children.0", 99),
        (f"{TREE}.left_children.0", 0),
        (f"{TREE}.right_children.0", 1),
        (f"{TREE}.left_children.0", 0.5),
        (f"{TREE}.left_children.0", -1),
        (f"{TREE}.split_indices.0", 99),
        (f"{TREE}.split_conditions", []),
        (f"{TREE}.split_type.0", 1),
        (f"{TREE}.left_children", None),
    ],
)
def test_xgboost_trees_that_are_none_are_refused(xgboost_files: Files, path: str, value: Any) -> None:
    document = model_json(xgboost_files)
    check_xgboost(document)
    put(document, path, value)
    with pytest.raises(IntegrityError, match="the XGBoost file is malformed"):
        reload({**xgboost_files, "booster-0.json": json.dumps(document).encode()})


@pytest.mark.parametrize(("path", "value"), [("categories_sizes.0", 99), ("categories_nodes.0", 99)])
def test_xgboost_categories_that_lie_are_refused(path: str, value: int) -> None:
    with boosters_apart(fitted(trees(feature_types=["q", "q", "c"], max_cat_to_onehot=1))) as files:
        document = model_json(dict(files))
    made = document["learner"]["gradient_booster"]["model"]["trees"]
    number = next(index for index, tree in enumerate(made) if tree["categories_nodes"])
    check_xgboost(document)
    put(document, f"learner.gradient_booster.model.trees.{number}.{path}", value)
    with pytest.raises(IntegrityError, match="names categories"):
        check_xgboost(document)


def test_other_boosters_of_xgboost_are_checked_too() -> None:
    for booster, path, value in (
        ("dart", "learner.gradient_booster.weight_drop", []),
        ("gblinear", "learner.gradient_booster.model.weights", [1.0]),
    ):
        with boosters_apart(fitted(trees(booster=booster, max_depth=None))) as files:
            document = model_json(dict(files))
        check_xgboost(document)
        put(document, path, value)
        with pytest.raises(IntegrityError, match="another number of"):
            check_xgboost(document)


def test_a_booster_must_be_there_and_be_json(xgboost_files: Files) -> None:
    with pytest.raises(IntegrityError, match="is no JSON"):
        reload({**xgboost_files, "booster-0.json": b"[" * 100_000})
    pipeline = fitted(few())
    pipeline[-1]._Booster = StoredBooster("elsewhere.txt", "lightgbm")
    with pytest.raises(IntegrityError, match=r"names the booster file `elsewhere.txt`"):
        put_back(pipeline, {})
