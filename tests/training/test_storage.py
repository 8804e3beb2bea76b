"""Stored models: what goes in comes out, and what was tampered with does not."""

from __future__ import annotations

import io
import json
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
from lightgbm import LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBRegressor

from modelyard.errors import IntegrityError, InvalidData
from modelyard.training.frames import to_frame
from modelyard.training.identity import library_versions
from modelyard.training.names import PlainNames
from modelyard.training.rules import RuleClassifier
from modelyard.training.storage import golden, skops_file, structure
from modelyard.training.storage.boosters import StoredBooster, boosters_apart
from modelyard.training.storage.manifest import GOLDEN, MANIFEST, PIPELINE, read_manifest
from modelyard.training.storage.stored import store
from tests.training.models import (
    FEATURES,
    LABEL,
    few,
    files_of,
    fitted,
    model,
    reload,
    rows,
    trees,
    unzipped,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Files = dict[str, bytes]

CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "lightgbm": few,
    "lightgbm linear": lambda: few(linear_tree=True),
    "lightgbm stumps": lambda: few(num_leaves=2),
    "lightgbm leaves alone": lambda: few(min_child_samples=1000),
    "xgboost": trees,
    "xgboost dart": lambda: trees(booster="dart"),
    "xgboost linear": lambda: trees(booster="gblinear", max_depth=None),
    "xgboost pruned": lambda: trees(gamma=3, tree_method="exact"),
    "xgboost on categories": lambda: trees(feature_types=["q", "q", "c"], tree_method="hist"),
    "voting": lambda: VotingClassifier([("a", few()), ("b", trees())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", few()), ("b", DecisionTreeClassifier())], cv=2),
    "calibrated": lambda: CalibratedClassifierCV(few(), method="isotonic", cv=2),
    "forest": lambda: RandomForestClassifier(10),
    "extra trees": lambda: ExtraTreesClassifier(5),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=5),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=5),
    "histogram boosting on categories": lambda: HistGradientBoostingClassifier(max_iter=5, categorical_features=[1, 2]),
    "splines": lambda: make_pipeline(SplineTransformer(n_knots=3), StandardScaler(), LogisticRegression()),
    "bins": lambda: make_pipeline(KBinsDiscretizer(n_bins=3, encode="onehot-dense"), LogisticRegression()),
    "rules": lambda: RuleClassifier([{"when": "amount < 100", "then": 0.3}], otherwise=1),
    "names": lambda: make_pipeline(PlainNames(), few()),
}


@pytest.mark.filterwarnings("ignore:Bins whose width:UserWarning")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_model_comes_back_and_predicts_the_same(name: str) -> None:
    before = model(fitted(CLASSIFIERS[name]()))
    frame = to_frame(rows(), FEATURES)
    files = store(before, rows(), {}, {})
    after = reload(files)
    assert np.array_equal(after.predict(frame), before.predict(frame))
    assert after.features == FEATURES
    assert set(files) == {MANIFEST, PIPELINE, GOLDEN, *after.manifest.boosters}
    assert sorted(after.manifest.boosters) == sorted(name for name in files if name.startswith("booster-"))
    assert not any(b"Booster" in content for name, content in files.items() if name == GOLDEN)


REGRESSORS = [LinearRegression(), LGBMRegressor(verbosity=-1, n_estimators=3), XGBRegressor(n_estimators=3)]


@pytest.mark.parametrize("made", REGRESSORS)
def test_numbers_come_back(made: Any) -> None:
    before = model(fitted(made, LABEL * 1e3), task="regression", classes=())
    frame = to_frame(rows(), FEATURES)
    assert np.array_equal(reload(store(before, rows(), {}, {})).predict(frame), before.predict(frame))


@pytest.mark.parametrize("made", [few(), trees(), RandomForestClassifier(5)])
def test_classes_come_back_with_their_names(made: Any) -> None:
    label = np.arange(200) % 3
    before = model(fitted(made, label), task="multiclass_classification", classes=("a", "b", "c"))
    after = reload(store(before, rows(), {}, {}))
    assert after.classes == ("a", "b", "c")
    assert after.predict(to_frame(rows(), FEATURES)).shape == (200, 3)


def test_a_class_that_was_not_fitted_on_has_no_chance() -> None:
    pipeline = fitted(RandomForestClassifier(5), np.where(np.arange(200) % 2, 2, 0))
    predicted = model(pipeline, task="multiclass_classification", classes=("a", "b", "c")).predict(
        to_frame(rows(), FEATURES)
    )
    assert predicted[:, 1].tolist() == [0] * 200
    assert predicted.sum(axis=1) == pytest.approx(1)


def test_boosters_are_back_in_place_whatever_happens() -> None:
    pipeline = fitted(few())
    booster = pipeline[-1]._Booster
    with suppress(RuntimeError), boosters_apart(pipeline) as files:
        assert list(files) == ["booster-0.txt"]
        assert pipeline[-1]._Booster == StoredBooster("booster-0.txt", "lightgbm")
        raise RuntimeError
    assert pipeline[-1]._Booster is booster


def test_what_is_not_known_to_be_harmless_is_not_stored() -> None:
    with pytest.raises(InvalidData, match=r"`sklearn.neighbors._kd_tree.KDTree`, not known to be harmless"):
        files_of(fitted(KNeighborsClassifier()))
    files_of(fitted(KNeighborsClassifier(algorithm="brute")))
    unstorable = fitted(DecisionTreeClassifier())
    unstorable.memo = (number for number in range(3))
    with pytest.raises(InvalidData, match="can't be stored"):
        files_of(unstorable)


class Evil:
    """What a pickle can do: run code when it is read."""

    ran = False

    def __reduce__(self) -> Any:
        return (exec, ("import tests.training.test_storage as here; here.Evil.ran = True",))


@pytest.fixture(scope="module")
def tree_files() -> Files:
    return files_of(fitted(DecisionTreeClassifier(max_depth=3)))


@pytest.mark.parametrize("name", [PIPELINE, MANIFEST, GOLDEN, "booster-0.txt"])
def test_a_pickle_in_place_of_a_file_does_not_load(name: str) -> None:
    with pytest.raises(IntegrityError):
        reload({**files_of(fitted(few())), name: pickle.dumps(Evil())})
    assert not Evil.ran


def test_a_pickle_within_the_pipelines_zip_does_not_load(tree_files: Files) -> None:
    members = unzipped(tree_files[PIPELINE])
    with pytest.raises(IntegrityError, match=r"holds 'model\.pkl'"):
        reload({**tree_files, PIPELINE: zipped({**members, "model.pkl": pickle.dumps(Evil())})})
    array = next(name for name in members if name.endswith(".npy"))
    sink = io.BytesIO()
    np.save(sink, np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError, match="can't be read"):
        reload({**tree_files, PIPELINE: zipped({**members, array: sink.getvalue()})})
    assert not Evil.ran


def test_a_type_that_the_file_brings_along_does_not_load(tree_files: Files) -> None:
    members = unzipped(tree_files[PIPELINE])
    schema = members["schema.json"].replace(b'"DecisionTreeClassifier"', b'"Popen"').replace(
        b'"sklearn.tree._classes"', b'"subprocess"'
    )  # fmt: skip
    with pytest.raises(IntegrityError, match=r"types that may not be loaded.*subprocess.Popen"):
        reload({**tree_files, PIPELINE: zipped({**members, "schema.json": schema})})


@pytest.mark.parametrize("schema", [b"", b"[]", b"{", b"[" * 5000, b'{"protocol": 1}', b'{"protocol": 99}', b"\xff"])
def test_a_broken_schema_does_not_load(tree_files: Files, schema: bytes) -> None:
    with pytest.raises(IntegrityError):
        reload({**tree_files, PIPELINE: zipped({**unzipped(tree_files[PIPELINE]), "schema.json": schema})})


def test_a_zip_that_unpacks_to_too_much_does_not_load(tree_files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skops_file, "MAX_BYTES", 1000)
    with pytest.raises(IntegrityError, match="unpacks to too much"):
        reload(tree_files)


def test_flipped_bytes_never_load_unless_they_change_nothing(tree_files: Files) -> None:
    """The registry's digests find every flip; what is under test is what would stand behind them."""
    before = reload(tree_files).predict(to_frame(rows(), FEATURES))
    source = np.random.default_rng(0)
    for name in (PIPELINE, MANIFEST, GOLDEN):
        for position in source.integers(0, len(tree_files[name]), 60):
            content = bytearray(tree_files[name])
            content[position] ^= 1 << int(source.integers(8))
            try:
                after = reload({**tree_files, name: bytes(content)})
            except IntegrityError:
                continue
            if set(after.features) == set(FEATURES):
                assert after.predict(to_frame(rows(), FEATURES)) == pytest.approx(before, abs=1e-5)


def with_tree(files: Files, change: Callable[[Any], None]) -> Files:
    """The files with the arrays of the tree changed."""
    members = unzipped(files[PIPELINE])
    for name, content in members.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content))
            if array.dtype.names and "left_child" in array.dtype.names:
                change(array)
                sink = io.BytesIO()
                np.save(sink, array)
                members[name] = sink.getvalue()
    return {**files, PIPELINE: zipped(members)}


def set_field(field: str, value: int, at: int = 0) -> Callable[[Any], None]:
    def change(nodes: Any) -> None:
        nodes[field][at] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_field("left_child", 10_000),
        set_field("right_child", 0),
        set_field("left_child", -7),
        set_field("feature", 3),
        set_field("feature", -3),
    ],
)
def test_a_tree_that_would_lead_out_of_itself_does_not_load(tree_files: Files, change: Callable[[Any], None]) -> None:
    with pytest.raises(IntegrityError, match="the stored pipeline is malformed: a tree"):
        reload(with_tree(tree_files, change))


def test_a_tree_must_be_made_for_the_features_of_its_estimator() -> None:
    pipeline = fitted(DecisionTreeClassifier())
    pipeline[-1].n_features_in_ = 1
    with pytest.raises(IntegrityError, match="made for 3 features and its estimator for 1"):
        structure.check_structure(pipeline)


def test_a_tree_must_have_the_nodes_that_it_counts() -> None:
    class Tree:
        node_count, capacity = 5, 3

    with pytest.raises(IntegrityError, match="fewer nodes than it says"):
        structure.check_tree(Tree())


@pytest.mark.parametrize(
    ("field", "value"), [("left", 9999), ("right", 0), ("feature_idx", 7), ("bitset_idx", 99), ("feature_idx", -1)]
)
def test_a_histogram_tree_that_would_lead_out_of_itself_is_refused(field: str, value: int) -> None:
    pipeline = fitted(HistGradientBoostingClassifier(max_iter=2, categorical_features=[0, 1], max_leaf_nodes=4))
    predictor = pipeline[-1]._predictors[0][0]
    predictor.nodes["is_categorical"][0] = 1
    structure.check_structure(pipeline)
    predictor.nodes[field][0] = value
    with pytest.raises(IntegrityError, match="a tree"):
        structure.check_structure(pipeline)


def test_a_histogram_tree_of_another_layout_is_refused() -> None:
    pipeline = fitted(HistGradientBoostingClassifier(max_iter=1))
    predictor = pipeline[-1]._predictors[0][0]
    predictor.nodes = np.zeros(3)
    with pytest.raises(IntegrityError, match="of another type"):
        structure.check_predictor(predictor)


@pytest.mark.parametrize(
    "change",
    [{"t": np.array([0.0, 1.0])}, {"k": 10**6}, {"k": -1}, {"t": np.full(8, np.nan)}, {"c": np.zeros((1, 1))}],
)
def test_a_spline_with_other_knots_is_refused(change: dict[str, Any]) -> None:
    pipeline = fitted(CLASSIFIERS["splines"]())
    spline = pipeline[0][0].bsplines_[0]
    for name, value in change.items():
        object.__setattr__(spline, name, value) if name != "t" else spline.__dict__.update({"t": value, "_t": value})
    with pytest.raises(IntegrityError, match="a spline"):
        structure.check_structure(pipeline)


def test_a_library_that_predicts_otherwise_does_not_load(tree_files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = json.loads(tree_files[MANIFEST])
    manifest["libraries"] = {**library_versions(), "scikit-learn": "0.9"}
    files = {**tree_files, MANIFEST: json.dumps(manifest).encode()}
    reload(files)
    real = DecisionTreeClassifier.predict_proba

    def drifted(self: Any, frame: Any, *more: Any) -> Any:
        chances = real(self, frame, *more)
        return chances + np.where(np.arange(len(chances))[:, None] == 17, [[-0.001, 0.001]], 0)

    monkeypatch.setattr(DecisionTreeClassifier, "predict_proba", drifted)
    with pytest.raises(
        IntegrityError, match=r"1 of 100 golden rows differently: row 17 was .* and is .*scikit-learn 0\.9 then"
    ):
        reload(files)


def test_golden_rows_forgive_what_another_processor_rounds(tree_files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    real = DecisionTreeClassifier.predict_proba
    monkeypatch.setattr(DecisionTreeClassifier, "predict_proba", lambda self, *given: real(self, *given) * (1 + 1e-7))
    reload(tree_files)


def test_golden_rows_must_fit_the_model(tree_files: Files) -> None:
    content = golden.golden_rows(rows(), FEATURES, lambda frame: np.zeros((len(frame), 3)))
    with pytest.raises(IntegrityError, match="predicts 1 columns where it predicted 3"):
        reload({**tree_files, GOLDEN: content})
    few_rows = golden.golden_rows(rows().select(["amount"]), {"amount": "number"}, lambda frame: np.zeros(len(frame)))
    with pytest.raises(IntegrityError, match=r"can't be predicted: the features `repeat`, `kind` are missing"):
        reload({**tree_files, GOLDEN: few_rows})


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"{}", "task: Field required"), (b"[1", "Invalid JSON"), (b'{"format": 2}', "task")],
)
def test_a_manifest_must_be_one(content: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        read_manifest(content)


def test_a_later_format_is_refused_in_words() -> None:
    content = model(None).manifest.model_copy(update={"format": 2}).model_dump_json().encode()
    with pytest.raises(IntegrityError, match="stored in format 2; this version of Modelyard reads format 1"):
        read_manifest(content)


def test_only_types_of_the_allow_list_are_trusted() -> None:
    assert "sklearn.tree._tree.Tree" in skops_file.trusted_types()
    assert "own.Class" in skops_file.trusted_types(["own.Class"])
    assert not [name for name in skops_file.trusted_types() if name.startswith(("builtins.", "os.", "subprocess."))]
    assert skops.io.get_untrusted_types(data=skops_file.dump(fitted(LogisticRegression()))) == []
