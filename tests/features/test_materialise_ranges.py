"""Ranges of days: what they share, what a kill leaves, and two at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelyard.features import materialise as module
from modelyard.features.materialise import plan_days
from modelyard.features.partitions import dataset_of, manifests_of, partition_rows
from tests.features.builders import Place, days, feature_set, pins, utc
from tests.features.history import JANUARY, ROWS, TRANSACTIONS, run, simple, transaction


def test_a_range_shares_files_and_passes_are_bounded(filled: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run(filled, simple(), days=days("2026-01-01", "2026-02-10"))
    files = {file for day in filled.datasets.partitions("features/history/1")
             for file in filled.datasets.manifest("features/history/1", day).files}  # type: ignore[union-attr]  # fmt: skip
    assert len(files) == 2  # of 32 days at most
    monkeypatch.setattr(module, "ROWS_A_PASS", 4)
    run(filled, simple(), days=days("2026-01-01", "2026-01-06"), force=True)
    files = {filled.datasets.manifest("features/history/1", f"2026-01-0{day}").files for day in range(1, 7)}  # type: ignore[union-attr]
    assert len(files) == 3  # two entities, so two days at a time


KILLED = """
import os, signal, sys
from pathlib import Path
from modelyard.config.definitions import FeatureSetDefinition
from modelyard.features import materialise as module
from modelyard.datasets.filesystem import FilesystemStaging
from tests.features.builders import Place, days, pins

root, text, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
definition = FeatureSetDefinition.model_validate_json(text)
module.ROWS_A_PASS = 4
calls = 0

def dying(function, after):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

if moment == "write":
    module._write = dying(module._write, 1)
if moment == "audit":
    module.audit_partitions = dying(module.audit_partitions, 1)
if moment == "publish":
    FilesystemStaging.publish = dying(FilesystemStaging.publish, 3)
place = Place(root)
module.materialise(definition, pins(definition), days("2026-01-01", "2026-01-06"), engine=place.engine,
                   datasets=place.datasets)
"""


@pytest.mark.parametrize(("moment", "published"), [("write", 2), ("audit", 2), ("publish", 3)])
def test_killed_at_any_moment_days_are_whole_or_absent_and_the_next_run_goes_on(
    filled: Place, moment: str, published: int
) -> None:
    definition = simple()
    command = [sys.executable, "-c", KILLED, str(filled.root), definition.model_dump_json(by_alias=True), moment]
    assert subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[2]).returncode == -9
    there = filled.datasets.partitions("features/history/1")
    assert len(there) == published
    for day in there:
        manifest = filled.datasets.manifest("features/history/1", day)
        assert manifest is not None
        filled.datasets.verify(manifest)
    (result,) = run(filled, definition, days=days("2026-01-01", "2026-01-06"))
    assert len(result.existing) == published
    untouched = Place(filled.root)
    assert [row["n"] for row in untouched.values(definition, "2026-01-03")] == [1, 1]


def test_two_at_once_publish_the_same(filled: Place) -> None:
    definition = simple()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(filled, definition, days=days("2026-01-01", "2026-01-20")), range(2)))
    assert len(results) == 2
    dataset = dataset_of(pins(definition)["history"])
    assert filled.datasets.partitions(dataset) == [day.isoformat() for day in days("2026-01-01", "2026-01-20")]
    assert [row["n"] for row in filled.values(definition, "2026-01-03")] == [1, 1]


def test_a_plan_says_what_there_is_to_do(filled: Place) -> None:
    weekly = simple(every="2d", ttl="2d")
    definition = feature_set("tens", [], query="SELECT who, n FROM {{ ref('history') }}", refs=[weekly], entity="who")
    plan = plan_days(definition, pins(definition), JANUARY, filled.datasets, now=utc("2026-02-01"))
    assert [(work.definition.name, len(work.missing)) for work in plan] == [("history", 3), ("tens", 4)]


def test_a_range_of_which_a_day_was_published_again_is_read_by_the_days_that_count(filled: Place) -> None:
    definition = simple()
    run(filled, definition, days=days("2026-01-01", "2026-01-06"))
    filled.write(TRANSACTIONS, [*ROWS, transaction("z", "2026-01-02T12:00")])
    run(filled, definition, days=days("2026-01-03", "2026-01-03"), force=True)
    pin = pins(definition)["history"]
    found = partition_rows(manifests_of(pin, days("2026-01-01", "2026-01-06"), filled.datasets), filled.datasets)
    assert [len(group.ranges) for group in found.groups] == [0, 2]
    with filled.engine.session({"values": found}) as session:
        rows = session.fetch("SELECT as_of, who FROM values ORDER BY ALL").to_pylist()
    assert [(row["as_of"].day, row["who"]) for row in rows] == [
        (2, "a"), (3, "a"), (3, "b"), (3, "z"), (4, "a"), (4, "b")
    ]  # fmt: skip
    whole = partition_rows(manifests_of(pin, days("2026-01-03", "2026-01-03"), filled.datasets), filled.datasets)
    assert [group.ranges for group in whole.groups] == [()]
