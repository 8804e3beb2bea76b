import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelyard.config.kinds.model import Resources
from modelyard.errors import Unavailable, UsageError
from modelyard.training.launchers import processes
from modelyard.training.launchers.launcher import Job, JobKind, JobSpec, JobState
from modelyard.training.launchers.local import LocalLauncher
from tests.waiting import gone, until

# A job's process as small as can be: it runs the code that its task holds.
RUNNER = textwrap.dedent("""
    import json, os, pathlib, sys, time
    folder = pathlib.Path(sys.argv[1]).parent
    def leave(**outcome):
        (folder / "outcome.part").write_text(json.dumps(outcome))
        (folder / "outcome.part").rename(folder / "outcome.json")
    exec(json.loads(pathlib.Path(sys.argv[1]).read_text())["code"])
""")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that jobs' processes can import, whatever their environment."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "runner.py").write_text(RUNNER)
    real = processes.environment

    def environment(*given: Any) -> dict[str, str]:
        return {**real(*given), "PYTHONPATH": str(tmp_path / "modules")}

    monkeypatch.setattr(processes, "environment", environment)
    return "runner"


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LocalLauncher]:
    made = LocalLauncher(tmp_path / "jobs")
    yield made
    for job in made.list():
        made.remove(job.name)


def job(code: str, name: str = "a-1", **resources: Any) -> JobSpec:
    return JobSpec(name, "runner", Resources(**resources), JobKind.TRAIN, json.dumps({"code": code}).encode())


def wait_for_end(launcher: LocalLauncher) -> Job:
    """The one job that there is, once it has ended."""
    (found,) = until(lambda: [job for job in launcher.list() if job.state is not JobState.RUNNING], what="its end")
    assert isinstance(found, Job)
    return found


@pytest.mark.usefixtures("module")
def test_a_job_runs_apart_and_leaves_its_outcome_and_its_log(
    launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("MODELYARD_HOME", "elsewhere")
    launcher.submit(
        job("print(json.dumps([dict(os.environ), os.getcwd(), os.getpgid(0), os.nice(0)])); leave(ok=True)", cpu=2)
    )
    done = wait_for_end(launcher)
    assert (done.state, done.outcome) == (JobState.SUCCEEDED, b'{"ok": true}')
    printed = b"".join(launcher.logs("a-1")).decode()
    assert "canary" not in printed
    environment, folder, group, niceness = json.loads(printed)
    assert not [name for name in environment if name.startswith("MODELYARD_")]
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["HOME"] == folder == str(tmp_path / "jobs" / "a-1" / "scratch")
    assert group != os.getpgid(0)
    assert niceness == min(os.nice(0) + processes.NICENESS, 19)
    launcher.remove("a-1")
    assert launcher.list() == []
    assert list((tmp_path / "jobs").iterdir()) == []
    assert list(launcher.logs("a-1")) == []
    launcher.remove("a-1")
    launcher.cancel("a-1")


def test_who_we_are_at_aws_is_told_to_the_platforms_own_jobs_alone(tmp_path: Path) -> None:
    outer = {"HOME": "/people/amina", "AWS_REGION": "eu-west-1", "AWS_SECRET_ACCESS_KEY": "canary", "OTHER": "canary"}
    assert not [name for name in processes.environment(outer, tmp_path, 1) if name.startswith("AWS_")]
    told = processes.environment(outer, tmp_path, 1, True)
    assert {name: value for name, value in told.items() if name.startswith(("AWS_", "OTHER"))} == {
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "AWS_CONFIG_FILE": "/people/amina/.aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/people/amina/.aws/credentials",
    }
    assert told["HOME"] == str(tmp_path)


@pytest.mark.usefixtures("module")
def test_a_job_that_says_why_it_failed_is_heard(launcher: LocalLauncher) -> None:
    launcher.submit(job("leave(ok=False, reason='bad data'); sys.exit(65)"))
    done = wait_for_end(launcher)
    assert done.state is JobState.FAILED
    assert json.loads(done.outcome or b"")["reason"] == "bad data"


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "the process ended without an outcome (killed by SIGKILL)"),
        ("sys.exit(3)", "the process ended without an outcome (exit code 3)"),
    ],
)
def test_a_death_without_an_outcome_may_be_tried_again(launcher: LocalLauncher, code: str, reason: str) -> None:
    launcher.submit(job(code))
    assert wait_for_end(launcher) == Job("a-1", JobState.FAILED, reason=reason)


@pytest.mark.usefixtures("module")
def test_a_submitted_job_is_started_once(launcher: LocalLauncher, tmp_path: Path) -> None:
    spec = job(f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); leave(ok=True)")
    others = [LocalLauncher(tmp_path / "jobs") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: one.submit(spec), others))
    wait_for_end(launcher)
    launcher.submit(spec)
    assert (tmp_path / "starts").read_text() == "x"
    assert wait_for_end(launcher).state is JobState.SUCCEEDED
    for one in others:
        one.remove("a-1")


@pytest.mark.usefixtures("module")
def test_memory_is_that_of_all_processes_of_a_job(launcher: LocalLauncher) -> None:
    child = "import time; held = bytearray(60 << 20); time.sleep(600)"
    code = f"import subprocess; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    launcher.submit(job(code, memory="64Mi"))
    done = wait_for_end(launcher)
    assert done.permanent
    assert "MiB of memory; resources.memory allows 64 MiB" in done.reason


@pytest.mark.usefixtures("module")
def test_a_job_that_takes_too_long_is_ended(launcher: LocalLauncher) -> None:
    launcher.submit(job("time.sleep(600)", timeout=timedelta(milliseconds=500)))
    done = wait_for_end(launcher)
    assert done.permanent
    assert done.reason == "took longer than the 500ms that resources.timeout allows"


@pytest.mark.usefixtures("module")
def test_cancel_ends_every_process_even_those_that_will_not(launcher: LocalLauncher, tmp_path: Path) -> None:
    stubborn = f"""
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
open({str(tmp_path / "child")!r}, 'w').write(str(child.pid))
os.rename({str(tmp_path / "child")!r}, {str(tmp_path / "pid")!r})
time.sleep(600)
"""
    launcher.submit(job(stubborn))
    until((tmp_path / "pid").exists)
    launcher.cancel("a-1")
    done = wait_for_end(launcher)
    assert (done.reason, done.permanent) == ("cancelled", True)
    until(lambda: gone(int((tmp_path / "pid").read_text())), what="the child's end")


@pytest.mark.usefixtures("module")
def test_children_that_outlive_their_parent_are_ended(launcher: LocalLauncher, tmp_path: Path) -> None:
    code = f"""
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
open({str(tmp_path / "pid")!r}, 'w').write(str(child.pid))
leave(ok=True)
"""
    launcher.submit(job(code))
    assert wait_for_end(launcher).state is JobState.SUCCEEDED
    until(lambda: gone(int((tmp_path / "pid").read_text())), what="the child's end")


SUBMITTER = """
import sys
from pathlib import Path
from modelyard.config.kinds.model import Resources
from modelyard.training.launchers import processes, local
from modelyard.training.launchers.launcher import JobSpec
real = processes.environment
processes.environment = lambda *given: {**real(*given), "PYTHONPATH": sys.argv[2]}
def die(*_):
    import os
    os._exit(9)
if sys.argv[3] == "before":
    processes.start = die
if sys.argv[3] == "after":
    write = local._write
    local._write = lambda file, content: die() if file.name == "process.json" else write(file, content)
local.LocalLauncher(Path(sys.argv[1])).submit(JobSpec("a-1", "runner", Resources(), "train", sys.argv[4].encode()))
"""


def submit_and_die(tmp_path: Path, code: str, when: str) -> None:
    arguments = [str(tmp_path / "jobs"), str(tmp_path / "modules"), when, json.dumps({"code": code})]
    subprocess.run([sys.executable, "-c", SUBMITTER, *arguments], check=False, timeout=60)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("when", ["after", "done"])
def test_a_job_whose_submitter_died_is_adopted(launcher: LocalLauncher, tmp_path: Path, when: str) -> None:
    go = tmp_path / "go"
    code = f"""
while not os.path.exists({str(go)!r}):
    time.sleep(.02)
leave(ok=True)
"""
    submit_and_die(tmp_path, code, when)
    assert [found.state for found in launcher.list()] == [JobState.RUNNING]
    launcher.submit(job("leave(ok=False)"))
    go.touch()
    assert wait_for_end(launcher).state is JobState.SUCCEEDED


@pytest.mark.usefixtures("module")
def test_a_job_whose_submitter_died_before_it_started_is_not_there(launcher: LocalLauncher, tmp_path: Path) -> None:
    submit_and_die(tmp_path, "leave(ok=False)", "before")
    assert (tmp_path / "jobs" / "a-1").exists()
    assert launcher.list() == []
    launcher.submit(job("leave(ok=True)"))
    assert wait_for_end(launcher).state is JobState.SUCCEEDED


@pytest.mark.usefixtures("module")
def test_an_adopted_job_that_dies_silently_says_so(launcher: LocalLauncher, tmp_path: Path) -> None:
    submit_and_die(tmp_path, "time.sleep(600)", "done")
    pid = json.loads((tmp_path / "jobs" / "a-1" / "process.json").read_text())["pid"]
    psutil.Process(pid).kill()
    reason = "the process ended without an outcome"
    assert wait_for_end(launcher) == Job("a-1", JobState.FAILED, reason=reason, lost=True)


@pytest.mark.usefixtures("module")
def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_job(
    launcher: LocalLauncher, tmp_path: Path
) -> None:
    launcher.submit(job("leave(ok=True)"))
    wait_for_end(launcher)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        record = tmp_path / "jobs" / "a-1" / "process.json"
        record.write_text(json.dumps({"pid": other.pid, "at": time.time()}))
        assert LocalLauncher(tmp_path / "jobs").list()[0].state is JobState.SUCCEEDED
        launcher.cancel("a-1")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_names_are_fit_for_folders(launcher: LocalLauncher) -> None:
    for name in ("../a", "A", "", "a" * 81):
        with pytest.raises(UsageError, match="no name for a job"):
            launcher.cancel(name)


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("")
    with pytest.raises(Unavailable, match="Not a directory"):
        LocalLauncher(tmp_path / "jobs").submit(job("leave(ok=True)"))
