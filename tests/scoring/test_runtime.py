"""A version answers rows as the model itself would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import NotFound
from modelyard.scoring import runtime as runtime_module
from modelyard.scoring.definitions import scored_definition, trained_definition
from modelyard.scoring.loading import load_runtime
from modelyard.scoring.lookup import Partitions
from modelyard.scoring.schema import InvalidRows
from modelyard.training.frames import to_frame
from tests.scoring.trained import FOREST, LINEAR, loans, train
from tests.scoring.versions import apply, plain_definition, register
from tests.training import yard

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.scoring.runtime import Runtime

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ROWS = yard.table().select(list(yard.KINDS)).to_pylist()


def load(registry: LocalRegistry, folder: Path, definition: dict[str, Any], **settings: Any) -> Runtime:
    name = apply(registry, definition)
    number = train(registry, folder / "runs", definition, **settings)
    partitions = Partitions(FilesystemDatasets(folder / "datasets"))
    return load_runtime(registry, name, number, cache=folder / "cache", partitions=partitions)


def test_probabilities_are_those_of_the_model(registry: LocalRegistry, tmp_path: Path) -> None:
    runtime = load(registry, tmp_path, loans(last=FOREST))
    answer = runtime.answer("features", ROWS, NOW)
    expected = runtime.stored.predict(to_frame(yard.table(), yard.KINDS))
    assert (answer["model"], answer["version"]) == ("loans", 1)
    assert [entry["prediction"] for entry in answer["predictions"]] == expected.tolist()


def test_rows_in_many_chunks_keep_their_order(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = load(registry, tmp_path, loans())
    whole = runtime.answer("features", ROWS, NOW)["predictions"]
    monkeypatch.setattr(runtime_module, "ROWS_AT_ONCE", 7)
    chunked = runtime.answer("features", ROWS, NOW)["predictions"]
    assert [entry["prediction"] for entry in chunked] == pytest.approx([entry["prediction"] for entry in whole])
    with pytest.raises(InvalidRows, match=r"features\[75\]\.amount is absent"):
        runtime.answer("features", [*ROWS[:75], {"channel": None, "repeat": None}], NOW)


def test_a_multiclass_model_answers_with_names_and_probabilities(registry: LocalRegistry, tmp_path: Path) -> None:
    classes = {"0": "low", "1": "middle", "2": "high"}
    labels = {"source": "loans", "label": "outcome", "classes": classes}
    data = {"labels": labels, "features": [{"source": "loans"}]}
    definition = loans("risk", task="multiclass_classification", data=data)
    runtime = load(registry, tmp_path, definition, table=yard.table(classes=3).drop_columns(["loan_id"]))
    entries = runtime.answer("features", ROWS, NOW)["predictions"]
    assert {entry["prediction"] for entry in entries} == {"low", "middle", "high"}
    for entry in entries:
        assert list(entry["probabilities"]) == ["low", "middle", "high"]
        assert sum(entry["probabilities"].values()) == pytest.approx(1)
        assert entry["prediction"] == max(entry["probabilities"], key=entry["probabilities"].__getitem__)
    assert runtime.describe()["classes"] == ["low", "middle", "high"]


def test_a_regression_answers_with_numbers_and_refuses_infinity(registry: LocalRegistry, tmp_path: Path) -> None:
    labels = {"source": "loans", "label": "outcome"}
    data = {"labels": labels, "features": [{"source": "loans"}]}
    definition = loans("price", last=LINEAR, task="regression", data=data)
    runtime = load(registry, tmp_path, definition, table=yard.table(classes=9).drop_columns(["loan_id"]))
    assert all(isinstance(entry["prediction"], float) for entry in runtime.answer("features", ROWS, NOW)["predictions"])
    huge = {**ROWS[0], "amount": 1.7e308}
    runtime.stored.pipeline[-1].coef_ *= 1e9
    with pytest.raises(InvalidRows, match=r"features\[1\] can't be scored by `price`: the prediction is not a finite"):
        runtime.answer("features", [ROWS[0], huge], NOW)


def test_what_a_library_refuses_is_told_as_a_fault_of_the_row(registry: LocalRegistry, tmp_path: Path) -> None:
    runtime = load(registry, tmp_path, loans(last=FOREST))
    with pytest.raises(InvalidRows, match=r"features\[0\] can't be scored by `loans`: .*too large"):
        runtime.answer("features", [{**ROWS[0], "amount": 1e300}], NOW)


def test_a_whole_number_beyond_floats_precision_is_taken(registry: LocalRegistry, tmp_path: Path) -> None:
    runtime = load(registry, tmp_path, loans())
    exact, rounded = ({**ROWS[0], "amount": amount} for amount in (2**53 + 1, float(2**53)))
    first, second = runtime.answer("features", [exact, rounded], NOW)["predictions"]
    assert first == second


def test_requests_use_one_thread(registry: LocalRegistry, tmp_path: Path) -> None:
    definition = loans(last=FOREST, resources={"cpu": 2})
    assert load(registry, tmp_path, definition).stored.pipeline[-1].n_jobs == 1


def test_no_rows_are_no_predictions(registry: LocalRegistry, tmp_path: Path) -> None:
    assert load(registry, tmp_path, loans()).answer("features", [], NOW)["predictions"] == []


def test_a_plain_tables_entities_cannot_be_looked_up(registry: LocalRegistry, tmp_path: Path) -> None:
    runtime = load(registry, tmp_path, loans())
    with pytest.raises(InvalidRows, match="entities can't be looked up: features of `loans` come from a plain table"):
        runtime.answer("entities", [{"loan_id": "L1"}], NOW)
    assert runtime.describe() == {
        "model": "loans",
        "version": 1,
        "task": "binary_classification",
        "features": yard.KINDS,
        "entity": [],
        "classes": [],
    }


def test_the_definition_is_that_of_the_run(registry: LocalRegistry, tmp_path: Path) -> None:
    name = apply(registry, loans(last=yard.LOGISTIC))
    number = train(registry, tmp_path, loans(last=yard.LOGISTIC))
    later = loans(last=FOREST, resources={"cpu": 2})
    registry.apply_model(later, project="tests", expected_revision=1)
    trained = trained_definition(registry, registry.version(name, number))
    assert trained.pipeline[-1].content() == yard.LOGISTIC


def test_sources_are_those_of_today_where_they_mean_what_they_meant(registry: LocalRegistry, tmp_path: Path) -> None:
    name = apply(registry, loans(last=yard.LOGISTIC))
    number = train(registry, tmp_path, loans(last=yard.LOGISTIC))
    for revision, (change, path) in enumerate(
        [({"path": "moved.parquet"}, "moved.parquet"), ({"path": "moved.parquet", "timestamp": "other"}, None)], start=1
    ):
        later = loans(last=yard.LOGISTIC)
        trained = later["sources"]["loans"]
        columns = {**trained["columns"], **({"other": "timestamp"} if "timestamp" in change else {})}
        later["sources"] = {"loans": {**trained, **change, "columns": columns}, "more": {**trained, "name": "more"}}
        registry.apply_model(later, project="tests", expected_revision=revision)
        scored = scored_definition(registry, registry.model(name), registry.version(name, number))
        assert scored.sources["loans"].path == (path or trained["path"])
        assert scored.sources["loans"].timestamp == trained.get("timestamp")
        assert set(scored.sources) == {"loans", "more"}


def test_a_version_that_no_run_made_says_so(registry: LocalRegistry) -> None:
    name = apply(registry, plain_definition("flats"))
    number = register(registry, name, {"notes.json": b"{}"})
    with pytest.raises(NotFound, match="was not made by a run"):
        trained_definition(registry, registry.version(name, number))
