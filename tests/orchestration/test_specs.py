"""Spec files: what is written is read, and what was damaged never becomes a DAG."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import IntegrityError, NotFound
from modelyard.orchestration.plan import DagPlan
from modelyard.orchestration.specs import (
    SHARDS,
    read_spec,
    read_specs,
    remove_spec,
    remove_temporary,
    shard_of,
    spec_path,
    write_spec,
)
from tests.orchestration.yard import MIDNIGHT, plan

DAY = timedelta(days=1)


def names(folder: Path, shards: range = range(SHARDS)) -> list[str]:
    return [spec.model for spec in read_specs(folder, shards) if isinstance(spec, DagPlan)]


def problems(folder: Path) -> list[IntegrityError]:
    return [spec for spec in read_specs(folder) if isinstance(spec, IntegrityError)]


@pytest.mark.parametrize("end", [None, MIDNIGHT + DAY])
def test_what_is_written_is_read(folder: Path, end: datetime | None) -> None:
    written = plan(
        intervals=((MIDNIGHT, MIDNIGHT + DAY / 2, 3), (MIDNIGHT + DAY / 2, end, 12)),
        feature_sets={3: {}, 12: {"device_profile": 2, "borrower_history": 11}},
    )
    assert write_spec(folder, written)
    assert read_spec(spec_path(folder, written.model)) == written


def test_a_current_spec_is_not_touched(folder: Path) -> None:
    write_spec(folder, plan())
    before = spec_path(folder, "ke_loan_default").stat()
    assert not write_spec(folder, plan())
    after = spec_path(folder, "ke_loan_default").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_equal_plans_are_equal_bytes_whatever_the_order_of_what_they_pin(folder: Path) -> None:
    path = spec_path(folder, "ke_loan_default")
    write_spec(folder, plan(feature_sets={1: {"a": 1, "b": 2}}))
    before = path.read_bytes()
    assert not write_spec(folder, plan(feature_sets={1: {"b": 2, "a": 1}}))
    assert path.read_bytes() == before


def test_a_removed_spec_is_gone_and_removing_it_again_changes_nothing(folder: Path) -> None:
    write_spec(folder, plan())
    assert remove_spec(folder, "ke_loan_default")
    assert not remove_spec(folder, "ke_loan_default")
    assert names(folder) == []


def test_shards_share_out_every_model_once(folder: Path) -> None:
    models = sorted(f"model_{number}" for number in range(40))
    for model in models:
        write_spec(folder, plan(model))
    shares = [names(folder, range(part, SHARDS, 3)) for part in range(3)]
    assert sorted(name for share in shares for name in share) == sorted(names(folder)) == models
    assert {shard_of(model) for model in models} <= set(range(SHARDS))


def test_a_folder_that_is_not_there_is_an_error_with_what_to_do(folder: Path) -> None:
    with pytest.raises(NotFound, match="modelyard poll"):
        list(read_specs(folder))


def test_one_damaged_spec_is_one_error_that_names_it_and_the_rest_load(folder: Path) -> None:
    for model in ("gh_loan_default", "ke_loan_default", "ug_loan_default"):
        write_spec(folder, plan(model))
    damaged = spec_path(folder, "ke_loan_default")
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert sorted(names(folder)) == ["gh_loan_default", "ug_loan_default"]
    (problem,) = problems(folder)
    assert str(damaged) in problem.reason
    assert "modelyard poll --full" in problem.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 400,
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"format": 1, "digest": "0", "plan": {"schedule": NaN}}',
        b'{"format": 1, "digest": "0", "plan": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_whatever_lies_there_is_one_error(folder: Path, content: bytes) -> None:
    write_spec(folder, plan())
    spec_path(folder, "ke_loan_default").write_bytes(content)
    assert len(problems(folder)) == 1


def test_a_folder_in_a_specs_place_is_one_error(folder: Path) -> None:
    spec_path(folder, "ke_loan_default").mkdir(parents=True)
    assert len(problems(folder)) == 1


@settings(max_examples=200)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_becomes_another_dag(position: int, bit: int) -> None:
    with TemporaryDirectory() as home:
        folder = Path(home)
        write_spec(folder, plan())
        path = spec_path(folder, "ke_loan_default")
        content = bytearray(path.read_bytes())
        content[position % len(content)] ^= 1 << bit
        path.write_bytes(content)
        # White space between the parts of JSON has no meaning; anything else is noticed.
        (spec,) = read_specs(folder)
        assert spec == plan() or isinstance(spec, IntegrityError)


def test_a_spec_of_another_format_says_which_are_read(folder: Path) -> None:
    write_spec(folder, plan())
    path = spec_path(folder, "ke_loan_default")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    assert "its format is 2, and this Modelyard reads 1" in problems(folder)[0].reason


def test_a_spec_under_another_models_name_is_an_error(folder: Path) -> None:
    write_spec(folder, plan("ke_loan_default"))
    other = spec_path(folder, "gh_loan_default")
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(spec_path(folder, "ke_loan_default").read_bytes())
    assert names(folder) == ["ke_loan_default"]
    assert "holds the plan of `ke_loan_default`" in problems(folder)[0].reason


def test_a_spec_in_another_models_folder_is_an_error(folder: Path) -> None:
    write_spec(folder, plan("ke_loan_default"))
    path = spec_path(folder, "ke_loan_default")
    other = folder / f"{(shard_of('ke_loan_default') + 1) % SHARDS:02x}" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    assert names(folder) == ["ke_loan_default"], "an old copy never takes the place of the plan"
    assert f"belongs into {path.parent.name}/{path.name}" in problems(folder)[0].reason


def test_what_a_dead_writer_left_is_no_spec_and_goes(folder: Path) -> None:
    write_spec(folder, plan())
    left = spec_path(folder, "ke_loan_default").with_name(".4711.part")
    left.write_bytes(b"{")
    assert names(folder) == ["ke_loan_default"]
    remove_temporary(folder)
    assert not left.exists()
    assert names(folder) == ["ke_loan_default"]


def test_a_spec_that_goes_while_they_are_read_is_no_error(folder: Path) -> None:
    first, second = "model_518", "model_65"
    assert shard_of(first) == shard_of(second)
    for model in (first, second):
        write_spec(folder, plan(model))
    reading = read_specs(folder)
    assert next(reading) == plan(first)
    remove_spec(folder, second)
    assert list(reading) == []


def test_instants_keep_their_microseconds(folder: Path) -> None:
    instant = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
    write_spec(folder, plan(intervals=((instant, None, 1),)))
    assert read_spec(spec_path(folder, "ke_loan_default")).start == instant
