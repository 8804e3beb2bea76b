"""A day's predictions: everybody once, what the model says, published whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from modelyard.datasets.parquet import read_batches
from modelyard.errors import InvalidData, NotFound
from modelyard.scoring.batch import ScoreResult, find_target, score_partition
from modelyard.training.frames import to_frame
from tests.scoring.world import DAY, MODEL, World, definition, make_world, write_events, write_people
from tests.training import yard

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

ACTIVE = [f"L{number:06}" for number in range(3, 40)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.train(definition())
    world.materialise()
    return world


def score(world: World, version: int | None = None, **options: Any) -> ScoreResult:
    target = find_target(world.registry, MODEL, DAY, version)
    return score_partition(target, world.load, world.datasets, world.engine, **options)


def table(result: ScoreResult) -> pa.Table:
    return pq.read_table(list(result.files))


def test_everybody_is_scored_once_by_what_was_known(world: World) -> None:
    told: list[tuple[int, int]] = []
    result = score(world, progress=lambda done, total: told.append((done, total)))
    found = table(result)
    assert found.column_names == ["loan_id", "as_of", "model", "version", "prediction"]
    assert found["loan_id"].to_pylist() == ACTIVE
    assert set(found["as_of"].to_pylist()) == {datetime(2026, 7, 1, tzinfo=UTC)}
    assert set(found["model"].to_pylist()) == {MODEL}
    assert set(found["version"].to_pylist()) == {1}
    assert told == [(37, 37)]
    manifest = world.datasets.manifest("features/history/1", "2026-07-01")
    assert manifest is not None
    known = {row["loan_id"]: row for batch in read_batches(world.datasets.files(manifest)) for row in batch.to_pylist()}
    nothing = dict.fromkeys(yard.KINDS)
    rows = [known.get(who, nothing) for who in ACTIVE]
    expected = world.load(world.registry.version(MODEL, 1)).predict(
        to_frame(yard.table().select(list(yard.KINDS)).from_pylist(rows, found_schema()), yard.KINDS)
    )
    np.testing.assert_allclose(found["prediction"].to_numpy(), expected)
    assert {who for who in ACTIVE if who not in known} == {"L000010", "L000020", "L000030"}


def found_schema() -> pa.Schema:
    return yard.table().select(list(yard.KINDS)).schema


def test_the_manifest_says_what_it_was_made_from(world: World) -> None:
    details = score(world).manifest.details
    assert (details["model"], details["version"], details["as_of"]) == (MODEL, 1, "2026-07-01T00:00:00+00:00")
    assert details["entity"] == ["loan_id"]
    assert [pin["name"] for pin in details["feature_sets"]] == ["history"]
    assert details["audit"]["rows"] == 37
    assert 0 < details["audit"]["least"] < details["audit"]["mean"] < details["audit"]["greatest"] < 1


def test_again_is_answered_with_what_is_there(world: World) -> None:
    first, second = score(world), score(world)
    assert (first.existed, second.existed) == (False, True)
    assert second.manifest == first.manifest
    assert second.files == first.files


@pytest.mark.parametrize("change", ["features", "population"])
def test_other_inputs_are_scored_anew(world: World, change: str) -> None:
    first = score(world)
    if change == "features":
        write_events(world.folder, 40, seed=1)
        world.materialise(force=True)
    else:
        write_people(world.folder, 30)
    second = score(world)
    assert not second.existed
    assert second.manifest.number == first.manifest.number + 1
    assert second.manifest.digest != first.manifest.digest


def test_a_new_version_has_its_own_dataset(world: World) -> None:
    score(world)
    later = world.train(definition(), attempt=2, live=False)
    result = score(world, later)
    assert result.manifest.dataset == f"predictions/{MODEL}/{later}"
    assert set(table(result)["version"].to_pylist()) == {later}
    assert score(world).existed


def test_the_version_that_is_live_when_the_day_begins_scores_it(world: World) -> None:
    planned = world.train(definition(), attempt=2, live=False)
    world.registry.promote(MODEL, planned, live_from=datetime(2026, 7, 1, tzinfo=UTC))
    later = world.train(definition(), attempt=3, live=False)
    world.registry.promote(MODEL, later, live_from=datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC))
    assert find_target(world.registry, MODEL, DAY).version.number == planned
    assert find_target(world.registry, MODEL, DAY + timedelta(days=1)).version.number == later


def test_an_archived_version_still_scores_its_days(world: World) -> None:
    later = world.train(definition(), attempt=2)
    world.registry.archive_version(MODEL, 1)
    assert score(world, 1).manifest.rows == 37
    assert find_target(world.registry, MODEL, DAY).version.number == later


def test_where_nothing_is_live_a_version_has_to_be_named(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.train(definition(), live=False)
    with pytest.raises(NotFound, match="no version of `people` is live at 2026-07-01T00:00:00") as caught:
        find_target(world.registry, MODEL, DAY)
    assert caught.value.hint == "name one: --version NUMBER, or --version latest"


def test_a_model_without_a_population_is_told_what_to_add(tmp_path: Path) -> None:
    world = make_world(tmp_path, scoring=None)
    with pytest.raises(InvalidData, match="`people` does not say whom it scores") as caught:
        find_target(world.registry, MODEL, DAY)
    assert "scoring: {schedule:" in caught.value.hint


def test_missing_features_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.train(definition())
    with pytest.raises(NotFound) as caught:
        score(world)
    assert "modelyard features materialise history" in caught.value.hint
    assert not world.datasets.partitions(f"predictions/{MODEL}/1")


def test_the_population_of_today_scores_with_the_features_of_the_training(world: World) -> None:
    world.registry.apply_model(definition(where=None), project="tests", expected_revision=1)
    assert score(world).manifest.rows == 40


def test_nobody_is_an_empty_partition(world: World) -> None:
    write_people(world.folder, 3)
    result = score(world)
    assert table(result).num_rows == 0
    assert table(result).column_names == ["loan_id", "as_of", "model", "version", "prediction"]
    assert result.manifest.details["audit"] == {"rows": 0, "mean": None, "least": None, "greatest": None}
    assert score(world).existed


def test_classes_have_a_column_each(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    labels = {"source": "loans", "entity": "loan_id", "label": "outcome", "classes": {"0": "low", "1": "high"}}
    content = definition(task="multiclass_classification", data={"labels": labels, "features": ["history"]})
    world.registry.apply_model(content, project="tests", expected_revision=1)
    world.train(content)
    world.materialise()
    found = table(score(world))
    assert found.column_names[-3:] == ["prediction", "probability_low", "probability_high"]
    low, high = (found[f"probability_{name}"].to_numpy() for name in ("low", "high"))
    np.testing.assert_allclose(low + high, 1)
    assert found["prediction"].to_pylist() == np.where(low > high, "low", "high").tolist()


def test_predictions_that_cannot_be_leave_the_old_partition(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = score(world)
    write_people(world.folder, 20)
    target = find_target(world.registry, MODEL, DAY)
    loaded = world.load(target.version)
    monkeypatch.setattr(type(loaded), "predict", lambda _self, frame: np.full(len(frame), np.nan))
    with pytest.raises(
        InvalidData, match="`people` can't score loan_id 'L000003': the prediction is not a finite number"
    ):
        score_partition(target, lambda _version: loaded, world.datasets, world.engine)
    assert world.datasets.manifest(before.manifest.dataset, "2026-07-01") == before.manifest


def test_what_a_model_refuses_is_told_with_the_row(world: World) -> None:
    target = find_target(world.registry, MODEL, DAY)
    loaded = world.load(target.version)
    del loaded.pipeline.steps[0]  # the imputer and the encoder
    with pytest.raises(InvalidData, match="`people` can't score the rows from loan_id 'L000003' on"):
        score_partition(target, lambda _version: loaded, world.datasets, world.engine)


def test_many_at_once_publish_one_state(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: score(world), range(8)))
    newest = world.datasets.manifest(f"predictions/{MODEL}/1", "2026-07-01")
    assert newest is not None
    assert {result.manifest.digest for result in results} == {newest.digest}
    assert sorted(pq.read_table(world.datasets.files(newest))["loan_id"].to_pylist()) == ACTIVE
    assert score(world).existed
