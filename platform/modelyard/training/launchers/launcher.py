"""The launcher, as the reconcile loop sees it: where runs' processes go.

One more launcher is one more file beside this one, and a line in `wiring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.config.kinds.model import Resources


THREAD_VARIABLES = (
    "LOKY_MAX_CPU_COUNT", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""The variables that say how many threads numeric libraries may start, wherever a job goes."""


class NoRoom(ModelyardError):
    """A job can't be started just now, as a quota is used up; others may be."""

    transient = True


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class JobKind(StrEnum):
    """What a job does."""

    BUILD = "build"
    """It builds a training set, by the platform's code with the platform's identity."""
    TRAIN = "train"
    """It trains: it may run a project's own code, and sees its own data only."""


@dataclass(frozen=True)
class JobSpec:
    """A process to start: a run's id and try name it, so that it is never started twice."""

    name: str
    """The run's id and the try: the job's identity."""
    module: str
    """The Python module to run as `python -m`, with the task's file as its argument, or with none in a pod."""
    resources: Resources
    kind: JobKind
    task: bytes = b""
    """The task, as JSON; empty where the process asks the registry for it."""
    run: str = ""
    """The run that asked for it first; empty for trials."""
    tries: int = 0
    """Which try of the run."""
    team: str = ""
    """The team that the job counts for."""
    digest: str = ""
    """What is asked for: the same name with another digest is a mistake."""


@dataclass(frozen=True)
class Job:
    """What a launcher knows of a job."""

    name: str
    state: JobState
    reason: str = ""
    """Why it failed, in words, where the launcher knows: its memory, its deadline, a signal; or what it waits for."""
    permanent: bool = False
    """Whether the failure can't be mended by starting it again."""
    lost: bool = False
    """Whether nobody saw how it ended, as whoever started it had died too: it says nothing about the job."""
    outcome: bytes | None = None
    """The JSON that the job's process left behind as its last act."""
    team: str = ""
    """The team that it counts for, where the launcher knows."""
    run: str = ""
    """The run that asked for it, where the launcher knows."""
    ends: bool = False
    """Whether it was told to end, and has not yet."""


class Launcher(Protocol):
    """Starts jobs, lists them, ends them. The list is the truth."""

    def submit(self, spec: JobSpec) -> None:
        """Start a job; one with the same name that is there already is left as it is.

        Raises:
            InvalidData: It can't be started as it is, or the name is taken by something else.
            NoRoom: A quota is used up.
        """

    def list(self) -> Sequence[Job]:
        """Every job that has not been removed, whoever started it."""

    def logs(self, name: str) -> Iterator[bytes]:
        """What the job has printed so far, in chunks."""

    def cancel(self, name: str) -> None:
        """End a job's processes; one that is gone already is no error."""

    def remove(self, name: str) -> None:
        """Forget an ended job and its scratch folder, once its outcome is recorded."""
