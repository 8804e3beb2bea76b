"""A job in a pod: ended by a signal at once, its outcome left behind whole, its progress told and never in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, Unavailable
from modelyard.jobs.pod import LONGEST_MESSAGE, Reporter, termination_message
from modelyard.registry.records import Estimate, Outcome, RunProgress, RunState
from tests.registries import open_registry, serving
from tests.registry.making import apply, run_of
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry

POD = """
import os, sys, time
from pathlib import Path
from modelyard.errors import InvalidData, Unavailable
from modelyard.jobs.pod import run_pod
from modelyard.registry.records import Outcome
from modelyard.training.job import tell

def work(settings, registry):
    tell("beginning", 0.25)
    {work}
    return Outcome(ok=True)

sys.exit(run_pod(work, message=Path("message"), ends_run={ends_run}))
"""


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    """A registry with a run that trains for the second time."""
    made = open_registry(tmp_path / "home")
    apply(made)
    made.update_run(made.queue_run(run_of()).model_copy(update={"state": RunState.TRAINING, "tries": 2}))
    return made


def start(folder: Path, address: str, work: str, *, ends_run: bool = True) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "MODELYARD_REGISTRY": address,
        "MODELYARD_RUN": run_of().id,
        "MODELYARD_TRIES": "2",
    }
    script = folder / "pod.py"
    script.write_text(POD.format(work=work, ends_run=ends_run))
    return subprocess.Popen([sys.executable, str(script)], cwd=folder, env=environment, stdout=subprocess.DEVNULL)


WAIT_TO_GO = "while not os.path.exists('go'): time.sleep(0.01)"
"""Work that goes on when the test says so: what was told is reported beside the work, and must not be too late."""


def let_go(folder: Path, registry: LocalRegistry) -> None:
    """Let the work go on once the registry has heard what it does."""
    until(lambda: registry.run_progress(run_of().id))
    (folder / "go").touch()


@pytest.mark.parametrize(
    ("work", "code", "reason"),
    [
        ("pass", 0, ""),
        ("raise InvalidData('the label has one value')", 65, "the label has one value"),
        ("raise Unavailable('the store does not answer')", 75, "the store does not answer"),
        ("raise ZeroDivisionError('oh')", 65, "ZeroDivisionError: oh"),
    ],
)
def test_an_outcome_is_told_and_left_behind(
    tmp_path: Path, registry: LocalRegistry, work: str, code: int, reason: str
) -> None:
    with serving(registry) as service:
        process = start(tmp_path, service.url, work)
        assert process.wait(60) == code
    told = registry.run_progress(run_of().id)
    assert told is not None
    assert told.outcome == Outcome.model_validate_json((tmp_path / "message").read_bytes())
    assert (told.outcome.reason, told.outcome.ok, told.tries) == (reason, code == 0, 2)
    assert told.part == (1 if code == 0 else 0.25)


def test_a_build_does_not_say_how_its_run_ended(tmp_path: Path, registry: LocalRegistry) -> None:
    """Else its word would be taken for that of the same try's training, should that die without one."""
    with serving(registry) as service:
        process = start(tmp_path, service.url, WAIT_TO_GO, ends_run=False)
        let_go(tmp_path, registry)
        assert process.wait(60) == 0
    told = registry.run_progress(run_of().id)
    assert told is not None
    assert (told.doing, told.outcome) == ("beginning", None)
    assert Outcome.model_validate_json((tmp_path / "message").read_bytes()).ok


def test_a_registry_that_is_away_stops_no_work(tmp_path: Path) -> None:
    process = start(tmp_path, "http://127.0.0.1:9", "pass")
    assert process.wait(60) == 0
    assert json.loads((tmp_path / "message").read_bytes())["ok"]


def test_a_signal_ends_the_work_whatever_it_is_in(tmp_path: Path, registry: LocalRegistry) -> None:
    with serving(registry) as service:
        # One call into C that holds the interpreter: no handler of Python's would run.
        matching = "__import__('re').match(r'(a|a?)+$', 'a' * 40 + 'b')"
        process = start(tmp_path, service.url, f"{WAIT_TO_GO}\n    {matching}")
        let_go(tmp_path, registry)
        time.sleep(0.5)  # until it is in there; nothing tells
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        assert time.monotonic() - begun < 5
    assert not (tmp_path / "message").exists(), "what was ended has no outcome"
    told = registry.run_progress(run_of().id)
    assert told is not None
    assert (told.doing, told.outcome) == ("beginning", None)


def test_a_message_fits_and_can_be_read() -> None:
    metrics = {f"metric_{number}": Estimate(value=number / 7, low=0, high=1) for number in range(60)}
    for outcome in (
        Outcome(ok=True, version=3, metrics=metrics),
        Outcome(ok=False, reason="é" * 4000, permanent=True, metrics=metrics),
        Outcome(ok=False, reason="short"),
    ):
        message = termination_message(outcome)
        assert len(message) <= LONGEST_MESSAGE
        read = Outcome.model_validate_json(message)
        assert (read.ok, read.version, read.permanent) == (outcome.ok, outcome.version, outcome.permanent)
        assert outcome.reason.startswith(read.reason.rstrip("…"))


class Slow:
    """A registry that answers once it may."""

    def __init__(self) -> None:
        self.told: list[RunProgress] = []
        self.asked, self.may = threading.Event(), threading.Event()

    def report_progress(self, progress: RunProgress) -> RunProgress:
        self.asked.set()
        assert self.may.wait(30)
        self.told.append(progress)
        return progress


def test_progress_is_told_beside_the_work_and_the_outcome_last() -> None:
    slow: Any = Slow()
    reporter = Reporter(slow, "ke-aaaaaaaaaaaa-1", 1)
    reporter.tell("fitting", 0)
    assert slow.asked.wait(30)
    for part in range(100):
        reporter.tell("fitting", part / 100)
    assert slow.told == []
    slow.may.set()
    reporter.close(Outcome(ok=True, version=4))
    assert len(slow.told) <= 3
    assert slow.told[-1].outcome == Outcome(ok=True, version=4)


@pytest.mark.parametrize("error", [Unavailable("gone"), Conflict("a later try has begun")])
def test_a_registry_that_refuses_stops_no_work(error: Exception) -> None:
    asked = threading.Event()

    class Refusing:
        def report_progress(self, _: RunProgress) -> RunProgress:
            asked.set()
            raise error

    refusing: Any = Refusing()
    reporter = Reporter(refusing, "ke-aaaaaaaaaaaa-1", 1)
    reporter.tell("fitting", 0.5)
    assert asked.wait(30)
    reporter.close(Outcome(ok=True))
