"""Frames, labels and splits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.kinds.model import CrossValidation, Data, Labels
from modelyard.errors import InvalidData
from modelyard.training.frames import to_frame
from modelyard.training.rows import Rows, encode_labels, read_rows
from modelyard.training.splits import folds, hold_out
from tests.training import yard

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.config.kinds.model import Task


def test_frames_have_the_same_types_with_gaps_and_without() -> None:
    kinds = {"n": "number", "b": "boolean", "c": "category"}
    full = pa.table({"c": ["x", "y"], "n": pa.array([1, 2], pa.int32()), "b": [True, False], "more": [0, 0]})
    gaps = pa.table({"n": [None, 2.5], "b": [None, True], "c": pa.array(["x", None]).dictionary_encode()})
    frames = [to_frame(table, kinds) for table in (full, gaps)]
    assert [list(frame.columns) for frame in frames] == [["n", "b", "c"]] * 2
    assert [[str(kind) for kind in frame.dtypes] for frame in frames] == [["float64", "float64", "object"]] * 2
    assert frames[0].to_numpy().tolist() == [[1, 1, "x"], [2, 0, "y"]]
    assert frames[1].isna().to_numpy().tolist() == [[True, True, False], [False, False, True]]
    assert to_frame(full.slice(0, 0), kinds).shape == (0, 3)


def test_frames_take_what_can_be_read_as_their_kind() -> None:
    table = pa.table({"n": ["1.5", None], "c": [1, 2], "big": pa.array([2**60 + 1, 0], pa.int64())})
    frame = to_frame(table, {"n": "number", "c": "category", "big": "number"})
    assert frame["n"].tolist()[0] == 1.5
    assert frame["c"].tolist() == ["1", "2"]
    assert frame["big"].tolist() == [float(2**60), 0]


def test_frames_say_what_is_missing_or_of_another_kind() -> None:
    with pytest.raises(InvalidData, match="`a`, `b` are missing"):
        to_frame(pa.table({"c": [1]}), {"a": "number", "b": "number"})
    with pytest.raises(InvalidData, match="`a` holds values that are no number"):
        to_frame(pa.table({"a": ["x"]}), {"a": "number"})
    with pytest.raises(InvalidData, match="`a` holds values that are no category"):
        to_frame(pa.table({"a": [{"x": 1}]}), {"a": "category"})


def encoded(values: Any, task: Task, **labels: Any) -> tuple[list[Any], tuple[str, ...]]:
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    codes, classes = encode_labels(column, Labels(source="s", label="y", **labels), task)
    return codes.tolist(), classes


BINARY: Task = "binary_classification"
MANY: Task = "multiclass_classification"


@pytest.mark.parametrize(
    ("values", "labels", "expected"),
    [
        ([0, 1, 1], {}, ([0, 1, 1], ("0", "1"))),
        ([1, 0, 1], {"positive": 0}, ([0, 1, 0], ("1", "0"))),
        ([True, False], {}, ([1, 0], ("false", "true"))),
        ([1.0, 0.0], {"positive": 1}, ([1, 0], ("0", "1"))),
        (["good", "bad"], {"positive": "bad"}, ([0, 1], ("good", "bad"))),
        (["good", "bad", "odd"], {"positive": "bad"}, ([0, 1, 0], ("other", "bad"))),
    ],
)
def test_the_event_is_one(values: Any, labels: Any, expected: Any) -> None:
    assert encoded(values, BINARY, **labels) == expected


def test_classes_are_coded_in_their_order_and_named() -> None:
    assert encoded([10, 2, 2, 30], MANY) == ([1, 0, 0, 2], ("2", "10", "30"))
    assert encoded(["b", "a"], MANY, classes={"a": "alpha"}) == ([1, 0], ("alpha", "b"))
    assert encoded([1.0, 0.0], MANY, classes={"0": "no"}) == ([1, 0], ("no", "1"))
    assert encoded([1, 2], "regression") == ([1.0, 2.0], ())


@pytest.mark.parametrize(
    ("values", "task", "labels", "reason"),
    [
        ([1, 1], BINARY, {}, "has the same value, `1`, in every row"),
        (["a", "b"], BINARY, {}, "has the values `'a'`, `'b'`, and none is named as the event"),
        (["1", "0"], BINARY, {"positive": 1}, "no row has `1` in `y`; its values are `'0'`, `'1'`"),
        (list(range(20)), BINARY, {"positive": 99}, "…"),
        (["a", "b"], "regression", {}, "the label `y` is no number"),
        (["a", "b"], MANY, {"classes": {"a": "b"}}, "several values of `y` are classes of the name `b`"),
        ([1.0, float("nan"), float("inf")], "regression", {}, "the label `y` is infinite or NaN in 2 rows"),
    ],
)
def test_labels_that_do_not_fit_are_told(values: Any, task: Task, labels: Any, reason: str) -> None:
    with pytest.raises(InvalidData, match=reason):
        encoded(values, task, **labels)


def test_a_training_set_is_read_with_its_roles(tmp_path: Path) -> None:
    rows = 10
    when = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(rows)]
    table = yard.table(rows, __time=pa.array(when), __weight=list(range(rows)), __group=["g"] * 5 + ["h"] * 5)
    table = table.rename_columns([f"__{name[2:]}" if name.startswith("__") else name for name in table.column_names])
    made = yard.task(tmp_path, yard.definition(), table, roles=yard.roles(time="__time", weight="__weight"))
    read = read_rows(made, tmp_path / "fetched")
    assert read.features == yard.KINDS
    assert read.entity == ("loan_id",)
    assert read.weight is not None
    assert read.weight.tolist() == list(range(rows))
    assert read.time is not None
    assert read.time[1] == np.datetime64("2026-01-02")
    assert read.groups("elsewhere").tolist() == [0] * 5 + [1] * 5
    assert len(set(read.groups(None).tolist())) == rows
    assert len(set(read.groups("channel").tolist())) == len(set(table.column("channel").to_pylist()))


def test_an_empty_training_set_and_bad_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="no rows"):
        read_rows(yard.task(tmp_path, yard.definition(), yard.table(5).slice(0, 0)), tmp_path)
    for bad in ([-1.0, 1, 1, 1, 1], [float("nan"), 1, 1, 1, 1], [0.0] * 5, [None, 1.0, 1, 1, 1]):
        table = yard.table(5).append_column("w", pa.array(bad, pa.float64()))
        with pytest.raises(InvalidData, match="weights must be"):
            read_rows(yard.task(tmp_path, yard.definition(), table, roles=yard.roles(weight="w")), tmp_path)


def rows_of(label: Any, *, times: Any = None, classes: tuple[str, ...] = ("0", "1"), **columns: Any) -> Rows:
    label = np.asarray(label)
    table = pa.table({"entity": list(range(len(label))), **columns})
    roles = {"entity": ["entity"], "features": {}}
    time = None if times is None else np.asarray(times, dtype="datetime64[us]")
    return Rows(table, roles, None, label, classes, None, time)  # type: ignore[arg-type]  # splits need no frame


def data(delay: str | None = None, **split: Any) -> Data:
    labels = {"source": "s", "label": "y"} | ({} if delay is None else {"delay": delay})
    content = {"labels": labels, "features": [{"source": "s"}]} | ({"split": split} if split else {})
    return Data.model_validate(content)


DAYS = np.datetime64("2026-01-01") + np.arange(10)


def parts(rows: Rows, asked: Data, timezone: str = "UTC", seed: int = 0) -> tuple[list[int], list[int]]:
    found = hold_out(rows, asked, seed=seed, timezone=timezone)
    return found.train.tolist(), found.test.tolist()


def test_time_splits_keep_the_latest_rows_and_an_embargo() -> None:
    rows = rows_of([0, 1] * 5, times=DAYS[::-1])
    assert parts(rows, data()) == ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1])
    assert parts(rows, data("3d")) == ([5, 6, 7, 8, 9], [0, 1])
    assert parts(rows, data("3d", by="time", embargo="1d", test=0.5)) == ([6, 7, 8, 9], [0, 1, 2, 3, 4])


def test_test_from_is_a_midnight_of_the_models_timezone() -> None:
    # 2026-01-06 00:00 in Nairobi is three hours earlier in UTC.
    rows = rows_of([0, 1, 0], times=["2026-01-05T20:59", "2026-01-05T21:00", "2026-01-06T00:00"])
    assert parts(rows, data(by="time", test_from=date(2026, 1, 6)), "Africa/Nairobi") == ([0], [1, 2])
    assert parts(rows, data(by="time", test_from=date(2026, 1, 6)), "UTC") == ([0, 1], [2])


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.floats(0.05, 0.95), st.integers(0, 3))
def test_no_row_is_in_both_parts_and_no_instant_is_cut(days: list[int], test: float, embargo: int) -> None:
    times = np.datetime64("2026-01-01") + np.array(days)
    rows = rows_of(np.arange(len(days)) % 2, times=times)
    split: dict[str, Any] = {"by": "time", "test": test} | ({"embargo": f"{embargo}d"} if embargo else {})
    try:
        train, held = parts(rows, data(**split))
    except InvalidData:
        return
    assert rows.time is not None
    assert max(rows.time[train]) + np.timedelta64(embargo, "D") < min(rows.time[held]) or embargo == 0
    assert max(rows.time[train]) < min(rows.time[held])
    assert len(held) >= int(len(days) * test)


def test_random_splits_keep_classes_in_proportion_and_repeat_themselves() -> None:
    rows = rows_of([0] * 80 + [1] * 20)
    train, test = parts(rows, data(by="random", test=0.25))
    assert rows.label[test].mean() == pytest.approx(0.2)
    assert sorted(train + test) == list(range(100))
    assert parts(rows, data(by="random", test=0.25)) == (train, test)
    assert parts(rows, data(by="random", test=0.25), seed=1) != (train, test)
    numbers = rows_of(np.arange(10) / 3, classes=())
    assert len(parts(numbers, data())[1]) == 2


def test_groups_stay_whole() -> None:
    group = [index // 4 for index in range(40)]
    rows = rows_of([0, 1] * 20, group=group)
    train, test = parts(rows, data(by="group", group="group", test=0.3))
    assert len(test) == 12
    assert not {group[row] for row in train} & {group[row] for row in test}


def test_a_split_can_leave_all_to_cross_validation() -> None:
    assert parts(rows_of([0, 1]), data(by="none")) == ([0, 1], [])


@pytest.mark.parametrize(
    ("rows", "asked", "reason"),
    [
        (rows_of([0, 1]), data(by="time"), "have no timestamp"),
        (rows_of([0, 1], times=DAYS[:2]), data("90d"), "leaves no rows to train on, of 2"),
        (rows_of([0, 1], times=DAYS[:2]), data(by="time", test_from=date(2030, 1, 1)), "leaves no rows to test on"),
        (rows_of([0, 1, 1, 1]), data(), "can't be split at random"),
        (rows_of([0, 1]), data(by="group", group="none"), "there is no column `none` to group by"),
    ],
)
def test_splits_that_can_not_be_are_told(rows: Rows, asked: Data, reason: str) -> None:
    with pytest.raises(InvalidData, match=reason):
        parts(rows, asked)


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("group", [None, "group"])
def test_folds_predict_every_row_once(stratified: bool, group: str | None) -> None:
    groups = [index // 3 for index in range(60)]
    rows = rows_of([0] * 45 + [1] * 15, group=groups)
    within = np.arange(0, 60)[::-1].copy()[:57]
    wanted = CrossValidation(folds=4, stratified=stratified, group=group)
    made = folds(rows, within, wanted, seed=1)
    assert sorted(row for _, test in made for row in test.tolist()) == sorted(within.tolist())
    for train, test in made:
        assert not set(train.tolist()) & set(test.tolist())
        if group:
            assert not {groups[row] for row in train} & {groups[row] for row in test}
        elif stratified:
            assert rows.label[test].sum() in (3, 4)
    assert folds(rows, within, wanted, seed=1)[0][1].tolist() == made[0][1].tolist()
    with pytest.raises(InvalidData, match="50 folds can't be made"):
        folds(rows, within, CrossValidation(folds=50, group="group"), seed=0)
