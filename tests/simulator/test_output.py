"""The output is there whole or not at all: processes are really killed, at chosen and at seeded moments."""

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from modelyard.errors import Conflict, InvalidData, Unavailable, UsageError
from modelyard.simulator.lender import simulate_lender
from modelyard.simulator.output import written_whole
from modelyard.simulator.parameters import LenderParameters

TINY = LenderParameters(end=date(2026, 7, 1), markets=("ke", "ug"), days=30, borrowers=50, seed=1)

# Runs the simulation in a process that kills itself at the n-th call of one of its own steps.
DIE = """
import os, pathlib, signal, sys
from datetime import date
from modelyard.simulator.lender import simulate_lender
from modelyard.simulator.parameters import LenderParameters

step, count, out = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
calls = 0

def dying(function, after):
    def call(*arguments, **settings):
        global calls
        calls += 1
        last = calls == count
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **settings)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

if step == "fsync":
    os.fsync = dying(os.fsync, after=True)
if step == "mkdir":
    pathlib.Path.mkdir = dying(pathlib.Path.mkdir, after=True)
if step.startswith("rename"):
    pathlib.Path.rename = dying(pathlib.Path.rename, after=step == "rename-done")
asked = LenderParameters(date(2026, 7, 1), ("ke", "ug"), 30, 50, 1)
simulate_lender(asked, out, dying(lambda done: None, after=True) if step == "day" else lambda done: None)
"""

MOMENTS = [
    ("mkdir", 1),
    ("mkdir", 3),
    ("day", 1),
    ("day", 45),
    ("fsync", 1),
    ("fsync", 8),
    ("fsync", 11),
    ("fsync", 12),
    ("fsync", 13),
    ("fsync", 18),
    ("fsync", 19),
    ("rename", 1),
    ("rename-done", 1),
]


def contents(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in paths}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return contents(simulate_lender(TINY, tmp_path_factory.mktemp("tiny") / "out", lambda _: None).folder)


@pytest.mark.parametrize(("step", "count"), MOMENTS)
def test_killed_at_any_step_the_next_run_completes_and_leaves_nothing_else(
    step: str, count: int, out: Path, undisturbed: dict[str, str]
) -> None:
    killed = subprocess.run([sys.executable, "-c", DIE, step, str(count), str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists() or contents(out) == undisturbed
    again = simulate_lender(TINY, out, lambda _: None)
    assert again.made is ((step, count) not in {("rename-done", 1), ("fsync", 19)})
    assert contents(out) == undisturbed
    assert names(out.parent) == [out.name]


def test_killed_from_outside_at_seeded_moments_it_completes_in_the_end(out: Path, undisturbed: dict[str, str]) -> None:
    draw = random.Random(7)  # noqa: S311 - moments, not secrets
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", DIE, "never", "0", str(out)]) as process:
            try:
                process.wait(draw.uniform(0.05, 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
        assert set(names(out.parent)) <= {out.name, f".{out.name}.partial"}
        assert not out.exists() or contents(out) == undisturbed
    simulate_lender(TINY, out, lambda _: None)
    assert contents(out) == undisturbed
    assert names(out.parent) == [out.name]


def test_a_second_run_does_nothing(out: Path) -> None:
    first = simulate_lender(TINY, out, lambda _: None)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    second = simulate_lender(TINY, out, lambda _: pytest.fail("it simulated again"))
    assert (first.made, second.made) == (True, False)
    assert second == replace(first, made=False)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times


def test_the_order_of_markets_is_no_difference(out: Path) -> None:
    simulate_lender(TINY, out, lambda _: None)
    assert not simulate_lender(replace(TINY, markets=("ug", "ke")), out, lambda _: None).made


def test_other_parameters_are_refused_by_name(out: Path) -> None:
    simulate_lender(TINY, out, lambda _: None)
    before = contents(out)
    with pytest.raises(Conflict, match="days 30 instead of 31, seed 1 instead of 2") as refused:
        simulate_lender(replace(TINY, days=31, seed=2), out, lambda _: None)
    assert refused.value.hint == "choose another --out or remove it"
    assert contents(out) == before


def test_an_empty_folder_is_used(out: Path) -> None:
    out.mkdir()
    assert simulate_lender(TINY, out, lambda _: None).made


def test_a_missing_parent_is_made(out: Path) -> None:
    assert simulate_lender(TINY, out / "deep" / "er", lambda _: None).made


def test_a_folder_with_something_else_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(Conflict, match="holds something else"):
        simulate_lender(TINY, out, lambda _: None)
    assert (out / "thesis.txt").read_text() == "years of work"
    assert names(out.parent) == [out.name]


def test_a_file_is_no_folder(out: Path) -> None:
    out.write_text("a file")
    with pytest.raises(UsageError, match="is not a folder"):
        simulate_lender(TINY, out, lambda _: None)
    with pytest.raises(UsageError, match="cannot be made"):
        simulate_lender(TINY, out / "below", lambda _: None)


@pytest.mark.parametrize("record", ["{", "[]", '{"parameters": 7}', "{}"])
def test_a_record_that_says_nothing_is_reported(record: str, out: Path) -> None:
    out.mkdir()
    (out / "simulation.json").write_text(record)
    with pytest.raises(InvalidData, match=r"simulation\.json does not say"):
        simulate_lender(TINY, out, lambda _: None)


def test_a_simulation_without_its_optimum_is_reported(out: Path) -> None:
    simulate_lender(TINY, out, lambda _: None)
    (out / "optimum.json").unlink()
    with pytest.raises(InvalidData, match="damaged"):
        simulate_lender(TINY, out, lambda _: None)


def test_two_processes_do_not_write_the_same_folder(out: Path) -> None:
    partial = out.parent / f".{out.name}.partial"
    partial.mkdir()
    (partial / "theirs").touch()
    held = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process is writing"):
            simulate_lender(TINY, out, lambda _: None)
        assert (partial / "theirs").exists()
    finally:
        os.close(held)
    assert simulate_lender(TINY, out, lambda _: None).made


def test_whoever_waited_while_another_finished_does_not_touch_its_work(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish_first(descriptor: int, _: int) -> None:
        if Path(f"/dev/fd/{descriptor}").exists() and not out.exists():
            (out.parent / f".{out.name}.partial").rename(out)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    with pytest.raises(Conflict), written_whole(out):
        pytest.fail("it wrote")
    assert out.exists()


def test_a_failure_leaves_nothing(out: Path) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_lender(TINY, out, interrupted)
    assert names(out.parent) == []


def test_a_full_disk_can_be_tried_again(out: Path) -> None:
    def full(_: float) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Unavailable, match="No space left") as failed:
        simulate_lender(TINY, out, full)
    assert failed.value.transient
    assert names(out.parent) == []


def test_the_files_beside_the_tables_say_what_was_made(out: Path) -> None:
    made = simulate_lender(TINY, out, lambda _: None)
    record, optimum = (json.loads((out / name).read_text()) for name in ("simulation.json", "optimum.json"))
    assert record["parameters"] == {
        "simulation": "lender",
        "law": 1,
        "end": "2026-07-01",
        "markets": ["ke", "ug"],
        "days": 30,
        "borrowers": 50,
        "seed": 1,
        "timezone": "Africa/Nairobi",
    }
    assert record["rows"] == made.rows
    assert set(optimum) == {"overall", "markets"}
    assert set(optimum["markets"]) == {"ke", "ug"}
