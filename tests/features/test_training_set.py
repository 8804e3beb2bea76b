"""Training sets are built once, say what they hold, and hold what the model asks for."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
from modelyard.datasets.names import training_set_dataset
from modelyard.datasets.store import Manifest
from modelyard.errors import InvalidData, NotFound
from modelyard.features.partitions import dataset_of
from modelyard.features.registration import register_feature_sets
from modelyard.features.training_set import build_training_set
from modelyard.registry.run_spec import TrainingSetRequest
from tests.features.builders import Place, feature_set, model, pins, source, utc
from tests.registries import open_registry

LOANS = source(
    "loans", {"who": "string", "at": "timestamp", "known": "timestamp", "market": "string", "principal": "double",
              "missed": "boolean", "agreed": "date", "branch": "string"},
    timestamp="at", available="known",
)  # fmt: skip
HISTORY = feature_set(
    "history", [LOANS], entity="who", source="loans", ttl="30d",
    aggregations=[{"name": "loans_30d", "how": "count", "window": "30d"},
                  {"name": "market_before", "how": "last", "of": "market", "window": "30d"}],
)  # fmt: skip
LABELS = {"source": "loans", "entity": "who", "timestamp": "at", "label": "missed"}


def loan(who: str, at: str, **content: Any) -> dict[str, Any]:
    said = {"known": utc(at), "market": "ke", "principal": 10.0, "missed": False, "agreed": None, "branch": "x"}
    return {"who": who, "at": utc(at), **said, **content}


@pytest.fixture
def filled(place: Place) -> Place:
    place.write(LOANS, [
        loan("b", "2026-01-10T10:00", missed=True),
        loan("a", "2026-01-10T10:00", principal=20.0),
        loan("a", "2026-01-20T10:00", market="gh"),
        loan("a", "2026-01-20T10:00", market="ke"),
        loan("c", "2026-01-25T10:00", known=None),
        loan("c", "2026-01-26T10:00", missed=None),
    ])  # fmt: skip
    return place


def risk(features: list[Any] | None = None, labels: dict[str, Any] | None = None, **content: Any) -> ModelDefinition:
    data = {"labels": {**LABELS, **(labels or {})}, "features": features or ["history"], **content.pop("data", {})}
    return model("risk", [LOANS], [HISTORY], data=data, **content)


def request(definition: ModelDefinition, **content: Any) -> TrainingSetRequest:
    said = {"as_of": utc("2026-03-01"), "to": date(2026, 3, 1), **content}
    pinned = tuple(pins(*definition.feature_sets.values()).values())
    return TrainingSetRequest(definition=definition, feature_sets=pinned, **said)


def build(place: Place, definition: ModelDefinition, **content: Any) -> Manifest:
    return build_training_set(request(definition, **content), engine=place.engine, datasets=place.datasets)


def test_roles_say_what_each_column_is(filled: Place) -> None:
    definition = risk(
        ["history", {"source": "loans"}], {"weight": "principal"}, data={"split": {"by": "group", "group": "branch"}}
    )
    manifest = build(filled, definition)
    assert manifest.details["roles"] == {
        "entity": ["who"], "label": "__label", "time": "__time", "weight": "__weight", "group": None,
        "features": {"loans_30d": "number", "market_before": "category", "market": "category", "branch": "category"},
    }  # fmt: skip
    assert list(manifest.schema_) == [
        "who", "__label", "__time", "__weight", "loans_30d", "market_before", "market", "branch",
    ]  # fmt: skip
    assert manifest.details["null_rates"] == {"loans_30d": 0.5, "market_before": 0.5, "market": 0.0, "branch": 0.0}
    assert manifest.details["feature_sets"] == [{"name": "history", "version": 1, "digest": HISTORY.digest}]
    assert filled.rows(manifest)[0] == {
        "who": "a", "__label": False, "__time": utc("2026-01-10T10:00"), "__weight": 20.0, "loans_30d": None,
        "market_before": None, "market": "ke", "branch": "x",
    }  # fmt: skip


def test_rows_come_by_time_entity_and_place(filled: Place) -> None:
    found = filled.rows(build(filled, risk([{"source": "loans", "columns": ["market"]}])))
    assert [(row["who"], row["__time"].day, row["market"]) for row in found] == [
        ("a", 10, "ke"), ("b", 10, "ke"), ("a", 20, "gh"), ("a", 20, "ke"),
    ]  # fmt: skip


def test_it_is_built_once(filled: Place) -> None:
    told: list[tuple[str, float]] = []
    wanted = request(risk())
    first = build_training_set(
        wanted, engine=filled.engine, datasets=filled.datasets, progress=lambda what, part: told.append((what, part))
    )
    assert [part for _, part in told] == sorted(part for _, part in told)
    assert {what for what, _ in told} == {"checking sources", "materialising features", "joining features to labels"}
    (filled.root / "loans.parquet").unlink()
    assert build_training_set(wanted, engine=filled.engine, datasets=filled.datasets) == first
    assert first.dataset == training_set_dataset(wanted.training_set) == f"training_sets/{wanted.training_set}"


def test_equal_work_has_an_equal_digest(filled: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", threads=1)
    other.root.mkdir()
    (other.root / "loans.parquet").write_bytes((filled.root / "loans.parquet").read_bytes())
    assert build(filled, risk()).digest == build(other, risk()).digest


def test_many_rows_in_many_threads_have_an_equal_digest(tmp_path: Path) -> None:
    """Rows that nothing tells apart but their place come in the order of the file."""
    times = [utc("2026-01-01") + timedelta(minutes=number % 50) for number in range(200_000)]
    table = pa.table({
        "who": ["a", "b"] * 100_000, "at": pa.array(times, pa.timestamp("us", "UTC")), "n": range(200_000),
        "y": pa.array([0.5] * 200_000),
    })  # fmt: skip
    rows = source("rows", {"who": "string", "at": "timestamp", "n": "integer", "y": "double"}, timestamp="at")
    data = {
        "labels": {"source": "rows", "entity": "who", "timestamp": "at", "label": "y"},
        "features": [{"source": "rows"}],
    }
    digests = set()
    for threads in (1, 4, 4):
        place = Place(tmp_path / str(len(list(tmp_path.iterdir()))), threads=threads)
        place.root.mkdir()
        pq.write_table(table, place.root / "rows.parquet", row_group_size=3000)
        digests.add(build(place, model("ordered", [rows], [], data=data)).digest)
    assert len(digests) == 1


def test_only_days_that_labels_need_are_materialised(filled: Place) -> None:
    build(filled, risk())
    assert filled.datasets.partitions("features/history/1") == ["2026-01-10", "2026-01-20"]


@pytest.mark.parametrize(
    ("labels", "data", "as_of", "days"),
    [
        ({}, {}, "2026-03-01", [10, 10, 20, 20]),
        ({}, {"from": "2026-01-11"}, "2026-03-01", [20, 20]),
        ({}, {}, "2026-01-20T09:59", [10, 10]),
        ({}, {}, "2026-01-20T10:00", [10, 10, 20, 20]),
        ({"delay": "10d"}, {}, "2026-01-30T09:59", [10, 10]),
        ({"delay": "10d"}, {}, "2026-01-30T10:00", [10, 10, 20, 20]),
        ({"where": "market = 'ke' and principal < 15"}, {}, "2026-03-01", [10, 20]),
    ],
)
def test_labels_are_those_that_are_known(
    filled: Place, labels: dict[str, Any], data: dict[str, Any], as_of: str, days: list[int]
) -> None:
    found = filled.rows(build(filled, risk([{"source": "loans"}], labels, data=data), as_of=utc(as_of)))
    assert [row["__time"].day for row in found] == days


def test_labels_end_with_the_day_in_the_models_timezone(filled: Place) -> None:
    for timezone, count in (("UTC", 2), ("Pacific/Kiritimati", 2), ("Pacific/Pago_Pago", 4)):
        definition = risk([{"source": "loans"}], timezone=timezone)
        assert build(filled, definition, to=date(2026, 1, 20)).rows == count
    # 10:00 UTC is the 21st already, fourteen hours to the east.
    assert build(filled, risk([{"source": "loans"}], timezone="Pacific/Kiritimati"), to=date(2026, 1, 21)).rows == 2
    assert build(filled, risk([{"source": "loans"}]), to=date(2026, 1, 21)).rows == 4


def test_no_labels_are_an_error_that_says_what_was_asked_for(filled: Place) -> None:
    with pytest.raises(InvalidData, match="no row of `loans` is a label that is known") as caught:
        build(filled, risk(), to=date(2026, 1, 1))
    assert "before 2026-01-01" in caught.value.hint


def test_a_sample_is_the_same_entities_each_time(place: Place) -> None:
    rows = source("rows", {"who": "integer", "y": "double", "x": "double"})
    place.write(rows, [{"who": number % 1000, "y": 1.0, "x": 2.0} for number in range(5000)])
    definition = model("sampled", [rows], [], data={
        "labels": {"source": "rows", "entity": "who", "label": "y"}, "features": [{"source": "rows"}],
    })  # fmt: skip
    some = place.rows(build(place, definition, sample=0.1))
    more = place.rows(build(place, definition, sample=0.2))
    chosen = {row["who"] for row in some}
    assert 60 < len(chosen) < 140
    assert len(some) == 5 * len(chosen)
    assert chosen < {row["who"] for row in more}


def test_a_plain_table_is_enough(place: Place) -> None:
    rows = source("flowers", {"length": "double", "species": "integer", "day": "date"})
    place.write(rows, [{"length": 1.5, "species": 1, "day": None}, {"length": None, "species": 0, "day": None}])
    definition = model("iris", [rows], [], data={
        "labels": {"source": "flowers", "label": "species"}, "features": [{"source": "flowers"}],
    })  # fmt: skip
    manifest = build(place, definition)
    assert place.rows(manifest) == [{"__label": 1, "length": 1.5}, {"__label": 0, "length": None}]
    assert manifest.details["roles"] == {
        "entity": [], "label": "__label", "time": None, "weight": None, "group": None, "features": {"length": "number"},
    }  # fmt: skip


def test_a_sample_of_rows_about_nobody_is_of_the_rows(place: Place) -> None:
    rows = source("rows", {"x": "integer", "y": "double"})
    place.write(rows, [{"x": number, "y": 1.0} for number in range(1000)])
    data = {"labels": {"source": "rows", "label": "y"}, "features": [{"source": "rows"}]}
    assert 60 < build(place, model("sampled", [rows], [], data=data), sample=0.1).rows < 140


def test_groups_are_kept_where_they_are_no_feature(filled: Place) -> None:
    split = {"split": {"by": "group", "group": "branch"}}
    manifest = build(filled, risk(data=split))
    assert manifest.details["roles"]["group"] == "__group"
    assert filled.rows(manifest)[0]["__group"] == "x"
    folds = {"cross_validation": {"folds": 2, "group": "market"}}
    with pytest.raises(InvalidData, match="grouped by branch and market"):
        build(filled, risk(data=split, evaluation=folds))
    assert build(filled, risk([{"source": "loans", "columns": ["market"]}], data=split, evaluation=folds)).rows == 4


def test_another_table_gives_its_latest_row_or_its_only_one(filled: Place) -> None:
    grades = source("grades", {"who": "string", "grade": "string", "score": "integer"})
    filled.write(grades, [{"who": "a", "grade": "A", "score": 3}, {"who": None, "grade": "Z", "score": 0}])
    data = {"labels": LABELS, "features": [{"source": "grades", "exclude": ["score"]}]}
    found = filled.rows(build(filled, model("graded", [LOANS, grades], [], data=data)))
    assert [(row["who"], row["grade"]) for row in found] == [("a", "A"), ("b", None), ("a", "A"), ("a", "A")]
    filled.write(grades, [{"who": "a", "grade": "A", "score": 3}, {"who": "a", "grade": "B", "score": 3}])
    with pytest.raises(InvalidData, match="there are 2 rows for who 'a'"):
        build(filled, model("graded", [LOANS, grades], [], data=data), as_of=utc("2026-03-02"))


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        ([{"source": "loans", "columns": ["missed"]}], {}, "`missed` is a key, a time, the label or its weight"),
        ([{"source": "loans", "columns": ["agreed"]}], {}, "`agreed` is a key, a time"),
        ([{"source": "loans", "columns": ["markt"]}], {}, "has no column `markt`"),
        (
            [{"source": "loans", "columns": ["market"]}, {"source": "loans"}],
            {},
            "two of its columns have the name `market`",
        ),
        (["history"], {"entity": "branch"}, "the feature set `history` is of `who`, the labels are not"),
        (["history"], {"where": "sum(principal) > 1"}, "data.labels.where: it is about one row"),
    ],
)
def test_what_cannot_be_is_named(filled: Place, features: list[Any], labels: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidData) as caught:
        build(filled, risk(features, labels))
    assert "model `risk`" in caught.value.reason
    assert reason in caught.value.reason


def test_sources_are_audited_and_warnings_recorded(filled: Place) -> None:
    expectation = {"expect": "column_values_to_be_in_set", "column": "market", "with": {"value_set": ["ke"]}}

    def checked(severity: str) -> ModelDefinition:
        loans = LOANS.model_validate({**LOANS.content(), "expectations": [{**expectation, "severity": severity}]})
        return model("risk", [loans], [], data={"labels": LABELS, "features": [{"source": "loans"}]})

    manifest = build(filled, checked("warning"))
    (audit,) = manifest.details["audits"]
    assert (audit["place"], audit["results"][0]["unexpected"]) == ("source `loans`", 1)
    with pytest.raises(InvalidData, match="source `loans` is not as expected"):
        build(filled, checked("critical"), as_of=utc("2026-03-02"))


def test_a_reference_that_is_not_pinned_is_looked_up(filled: Place) -> None:
    later = feature_set(
        "later", [], query="SELECT who, loans_30d AS x FROM {{ ref('history') }}", refs=[HISTORY], entity="who"
    )
    definition = model("risk", [LOANS], [later], data={"labels": LABELS, "features": ["later"]})
    pin = pins(later)["later"]
    wanted = TrainingSetRequest(
        definition=definition, as_of=utc("2026-03-01"), to=date(2026, 3, 1), feature_sets=(pin,)
    )
    with pytest.raises(NotFound, match="no version of the feature set `history` is given"):
        build_training_set(wanted, engine=filled.engine, datasets=filled.datasets)
    registry = open_registry(filled.root)
    with pytest.raises(NotFound):
        build_training_set(wanted, engine=filled.engine, datasets=filled.datasets, registry=registry)
    register_feature_sets([later], registry, "tests")
    manifest = build_training_set(wanted, engine=filled.engine, datasets=filled.datasets, registry=registry)
    assert [row["x"] for row in filled.rows(manifest)] == [None, None, 1, 1]


def elsewhere(definition: FeatureSetDefinition) -> FeatureSetDefinition:
    """The same definition over other files: its values have the same digest."""
    moved = {name: source.model_copy(update={"path": "forged.parquet"}) for name, source in definition.sources.items()}
    refs = {name: elsewhere(ref) for name, ref in definition.refs.items()}
    return definition.model_copy(update={"sources": moved, "refs": refs})


def test_feature_sets_are_computed_as_they_are_registered_whatever_a_request_says(filled: Place) -> None:
    later = feature_set(
        "later", [], query="SELECT who, loans_30d AS x FROM {{ ref('history') }}", refs=[HISTORY], entity="who"
    )
    registry = open_registry(filled.root)
    pinned = tuple(register_feature_sets([later], registry, "tests").values())
    # Whoever changed the set that refers to another one has not changed the other one.
    registry.register_feature_set(elsewhere(later).content(), project="tests", lineage={})
    definition = model("risk", [LOANS], [elsewhere(later)], data={"labels": LABELS, "features": ["later"]})
    assert definition.feature_sets["later"].digest == later.digest

    def wanted(definition: ModelDefinition) -> TrainingSetRequest:
        return TrainingSetRequest(
            definition=definition, as_of=utc("2026-03-01"), to=date(2026, 3, 1), feature_sets=pinned
        )

    other = feature_set("later", [], query="SELECT who, 7 AS x FROM {{ ref('history') }}", refs=[HISTORY], entity="who")
    forged = model("risk", [LOANS], [other], data={"labels": LABELS, "features": ["later"]})
    with pytest.raises(InvalidData, match="`later` is not defined here as version 1 of it is registered"):
        build_training_set(wanted(forged), engine=filled.engine, datasets=filled.datasets, registry=registry)
    assert not list(filled.datasets.partitions(dataset_of(pins(later)["later"])))
    manifest = build_training_set(wanted(definition), engine=filled.engine, datasets=filled.datasets, registry=registry)
    assert [row["x"] for row in filled.rows(manifest)] == [None, None, 1, 1]


KILLED = """
import os, signal, sys
from pathlib import Path
from modelyard.features import training_set as module
from modelyard.registry.run_spec import TrainingSetRequest
from modelyard.datasets.filesystem import FilesystemStaging
from tests.features.builders import Place

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

root, text, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if moment == "join":
    module.join_features = die
if moment == "publish":
    publish = FilesystemStaging.publish
    FilesystemStaging.publish = lambda self, partition, **options: (
        die() if partition == "all" else publish(self, partition, **options))
place = Place(root)
module.build_training_set(TrainingSetRequest.model_validate_json(text), engine=place.engine, datasets=place.datasets)
"""


@pytest.mark.parametrize("moment", ["join", "publish"])
def test_killed_at_any_moment_nothing_half_is_seen(filled: Place, moment: str) -> None:
    wanted = request(risk())
    command = [sys.executable, "-c", KILLED, str(filled.root), json.dumps(wanted.content()), moment]
    assert subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[2]).returncode == -9
    assert filled.datasets.partitions(training_set_dataset(wanted.training_set)) == []
    assert build_training_set(wanted, engine=filled.engine, datasets=filled.datasets).rows == 4
    swept = filled.datasets.sweep(older_than=datetime.now(UTC) + timedelta(hours=1), dry_run=False)
    assert len(swept) == 1


def test_two_at_once_build_the_same(filled: Place) -> None:
    with ThreadPoolExecutor(2) as pool:
        manifests = list(pool.map(lambda _: build(filled, risk()), range(2)))
    assert manifests[0].digest == manifests[1].digest
    assert filled.datasets.partitions(manifests[0].dataset) == ["all"]
