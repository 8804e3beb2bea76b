"""Entities get the features of the newest partition that is young enough, and no others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.canonical import canonical_json
from modelyard.config.definitions import FeatureSetDefinition
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.errors import Unavailable
from modelyard.scoring import partition as partition_module
from modelyard.scoring.lookup import Lookup, Partitions, PinnedSet
from modelyard.scoring.partition import LoadedPartition, load_partition
from tests.scoring.published import feature_set, publish

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 7, 1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
AHEAD = timedelta(days=1)


@pytest.fixture
def datasets(tmp_path: Path) -> FilesystemDatasets:
    return FilesystemDatasets(tmp_path)


def pinned(name: str = "history", version: int = 1, **document: Any) -> PinnedSet:
    content = feature_set(name, **document)
    return PinnedSet(FeatureSetDefinition.model_validate_json(canonical_json(content)), version)


def loaded(datasets: FilesystemDatasets, now: datetime, *sets: PinnedSet) -> Partitions:
    partitions = Partitions(datasets)
    partitions.load(sets, now)
    return partitions


def lookup(partitions: Partitions, features: dict[str, str], *sets: PinnedSet) -> Lookup:
    return Lookup({"borrower_id": "string"}, features, sets, partitions)


def test_rows_come_in_the_order_of_the_entities(datasets: FilesystemDatasets) -> None:
    history = pinned()
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a", "b", "c"], "amount": [1.0, 2.0, None]})
    found = lookup(loaded(datasets, NOON, history), {"amount": "number"}, history).at(NOON)
    table, is_found = found.find({"borrower_id": ["c", "x", "a", "a"]})
    assert table.to_pydict() == {"amount": [None, None, 1.0, 1.0]}
    assert is_found.tolist() == [True, False, True, True]
    assert found.used == {"history": {"version": 1, "as_of": datetime(2026, 7, 1, tzinfo=UTC)}}


def test_sets_are_joined_in_the_models_order_and_one_that_misses_an_entity_gives_nulls(
    datasets: FilesystemDatasets,
) -> None:
    history, device = pinned(), pinned("device")
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a", "b"], "amount": [1.0, 2.0], "unused": [0, 0]})
    publish(datasets, device.dataset, DAY, {"borrower_id": ["b"], "system": ["os"]})
    features = {"system": "category", "amount": "number"}
    found = lookup(loaded(datasets, NOON, history, device), features, history, device).at(NOON)
    table, is_found = found.find({"borrower_id": ["a", "b", "x"]})
    assert table.to_pylist() == [
        {"system": None, "amount": 1.0},
        {"system": "os", "amount": 2.0},
        {"system": None, "amount": None},
    ]
    assert is_found.tolist() == [True, True, False]


def test_the_newest_partition_that_began_is_used(datasets: FilesystemDatasets) -> None:
    history = pinned()
    for ahead in (-1, 0, 1):
        publish(
            datasets,
            history.dataset,
            DAY + ahead * AHEAD,
            {"borrower_id": ["a"], "amount": [float(ahead)]},
        )
    partitions = loaded(datasets, NOON, history)
    assert partitions.get(history, NOON).table["amount"].to_pylist() == [0.0]
    partitions.load([history], NOON + AHEAD)
    assert partitions.get(history, NOON + AHEAD).table["amount"].to_pylist() == [1.0]


def test_a_partition_that_is_published_again_takes_the_place_of_the_old_one(datasets: FilesystemDatasets) -> None:
    history = pinned()
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [1.0]})
    partitions = loaded(datasets, NOON, history)
    before = partitions.get(history, NOON)
    partitions.load([history], NOON)
    assert partitions.get(history, NOON) is before
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [7.0]})
    partitions.load([history], NOON)
    assert partitions.get(history, NOON).table["amount"].to_pylist() == [7.0]


def test_a_set_without_a_partition_is_an_error_that_says_what_to_do(datasets: FilesystemDatasets) -> None:
    history = pinned(version=3)
    with pytest.raises(Unavailable) as caught:
        loaded(datasets, NOON, history).get(history, NOON)
    assert str(caught.value) == (
        "no partition of features/history/3 is younger than its ttl of 2d: there is none\n"
        "  hint: modelyard features materialise history --version 3 --as-of 2026-07-01"
    )


def test_values_older_than_the_ttl_are_an_error(datasets: FilesystemDatasets) -> None:
    history = pinned()
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [1.0]})
    partitions = loaded(datasets, NOON, history)
    midnight = datetime(2026, 7, 1, tzinfo=UTC)
    assert partitions.get(history, midnight + 2 * AHEAD).as_of == midnight
    with pytest.raises(Unavailable, match="the last one is of 2026-07-01T00:00:00"):
        partitions.get(history, midnight + 2 * AHEAD + timedelta(microseconds=1))


def test_an_empty_partition_knows_nobody(datasets: FilesystemDatasets) -> None:
    history = pinned()
    nobody = {"borrower_id": pa.array([], pa.string()), "amount": pa.array([], pa.float64())}
    publish(datasets, history.dataset, DAY, nobody)
    found = lookup(loaded(datasets, NOON, history), {"amount": "number"}, history).at(NOON)
    table, is_found = found.find({"borrower_id": ["a"]})
    assert (table.to_pydict(), is_found.tolist()) == ({"amount": [None]}, [False])


def test_of_a_day_with_several_instants_the_last_one_that_began_counts(datasets: FilesystemDatasets) -> None:
    hourly = pinned(every="12h", ttl="1d")
    instants = [datetime(2026, 7, 1, hour, tzinfo=UTC) for hour in (0, 0, 12)]
    columns = {"borrower_id": ["a", "b", "a"], "amount": [1.0, 2.0, 3.0]}
    publish(datasets, hourly.dataset, DAY, columns, instants)
    partitions = loaded(datasets, NOON - timedelta(seconds=1), hourly)
    assert partitions.get(hourly, NOON).table["amount"].to_pylist() == [1.0, 2.0]
    partitions.load([hourly], NOON)
    assert partitions.get(hourly, NOON).as_of == NOON
    assert partitions.get(hourly, NOON).table["amount"].to_pylist() == [3.0]


def test_an_instant_that_knows_nobody_is_not_answered_by_the_one_before(datasets: FilesystemDatasets) -> None:
    hourly = pinned(every="12h", ttl="1d")
    midnight = NOON - timedelta(hours=12)
    columns = {"borrower_id": ["a"], "amount": [1.0]}
    publish(datasets, hourly.dataset, DAY, columns, [midnight], [midnight, NOON])
    partition = loaded(datasets, NOON, hourly).get(hourly, NOON)
    assert (partition.as_of, partition.table.num_rows) == (NOON, 0)


def test_an_instant_that_has_not_come_is_never_used(datasets: FilesystemDatasets) -> None:
    hourly = pinned(every="12h", ttl="1d")
    publish(datasets, hourly.dataset, DAY, {"borrower_id": ["a"], "amount": [1.0]}, [NOON])
    early = NOON - timedelta(seconds=1)
    with pytest.raises(Unavailable, match="there is none"):
        loaded(datasets, early, hourly).get(hourly, early)


def test_sets_that_nobody_pins_any_more_are_forgotten(datasets: FilesystemDatasets) -> None:
    history = pinned()
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [1.0]})
    partitions = loaded(datasets, NOON, history)
    partitions.keep([])
    with pytest.raises(Unavailable):
        partitions.get(history, NOON)


def test_a_partition_that_cannot_be_read_leaves_the_one_before(datasets: FilesystemDatasets, tmp_path: Path) -> None:
    broken, other = pinned("broken"), pinned("other")
    for one in (broken, other):
        publish(datasets, one.dataset, DAY - AHEAD, {"borrower_id": ["a"], "amount": [1.0]})
    partitions = loaded(datasets, NOON, broken, other)
    for one in (broken, other):
        publish(datasets, one.dataset, DAY, {"borrower_id": ["a"], "amount": [2.0]})
    manifest = datasets.manifest(broken.dataset, DAY.isoformat())
    assert manifest is not None
    file = tmp_path / broken.dataset / manifest.files[0].path
    file.write_bytes(file.read_bytes()[:-10])
    partitions.load([broken, other], NOON)
    assert partitions.get(broken, NOON).table["amount"].to_pylist() == [1.0]
    assert partitions.get(other, NOON).table["amount"].to_pylist() == [2.0]
    with pytest.raises(Unavailable, match=r"the newest can.t be read: rows\.parquet"):
        partitions.get(broken, NOON + 3 * AHEAD)


def test_an_answer_keeps_the_partitions_that_it_began_with(datasets: FilesystemDatasets) -> None:
    history = pinned()
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [1.0]})
    partitions = loaded(datasets, NOON, history)
    snapshot = lookup(partitions, {"amount": "number"}, history).at(NOON)
    publish(datasets, history.dataset, DAY, {"borrower_id": ["a"], "amount": [2.0]})
    partitions.load([history], NOON)
    assert snapshot.find({"borrower_id": ["a"]})[0].to_pydict() == {"amount": [1.0]}


def loaded_from(folder: Path, columns: dict[str, Any], keys: tuple[str, ...]) -> LoadedPartition:
    datasets = FilesystemDatasets(folder)
    manifest = publish(datasets, "features/any/1", DAY, columns)
    midnight = datetime(2026, 7, 1, tzinfo=UTC)
    return load_partition(datasets.files(manifest), manifest, keys, midnight, NOON)


KEYS = st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.integers(-3, 3))


@given(st.lists(KEYS, unique=True), st.lists(KEYS), st.booleans())
def test_every_entity_is_found_in_its_own_row(
    tmp_path_factory: pytest.TempPathFactory,
    known: list[tuple[str, int]],
    wanted: list[tuple[str, int]],
    collide: bool,
) -> None:
    columns = {
        "shop": pa.array([shop for shop, _ in known], pa.string()),
        "till": pa.array([till for _, till in known], pa.int32()),
    }
    with pytest.MonkeyPatch.context() as patch:
        if collide:  # rows are told apart where hashes do not
            patch.setattr(partition_module, "_hashes", lambda keys: keys.to_pandas()["till"].to_numpy() % 2)
        loaded = loaded_from(tmp_path_factory.mktemp("datasets"), columns, ("shop", "till"))
        rows = loaded.find({"shop": [shop for shop, _ in wanted], "till": [till for _, till in wanted]})
    assert rows.tolist() == [known.index(key) if key in known else -1 for key in wanted]
