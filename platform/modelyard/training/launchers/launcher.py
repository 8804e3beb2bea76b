"""The launcher, as the reconcile loop sees it: where runs' processes go.

One more launcher is one more file beside this one, and a line in `wiring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.config.kinds.model import Resources


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class JobSpec:
    """A process to start: a run's id and try name it, so that it is never started twice."""

    name: str
    """The run's id and the try: the job's identity."""
    module: str
    """The Python module to run as `python -m`, with the task's file as its argument."""
    task: bytes
    """The task, as JSON."""
    resources: Resources


@dataclass(frozen=True)
class Job:
    """What a launcher knows of a job."""

    name: str
    state: JobState
    reason: str = ""
    """Why it failed, in words, where the launcher knows: its memory, its deadline, a signal."""
    permanent: bool = False
    """Whether the failure can't be mended by starting it again."""
    lost: bool = False
    """Whether nobody saw how it ended, as whoever started it had died too: it says nothing about the job."""
    outcome: bytes | None = None
    """The JSON that the job's process left behind as its last act."""


class Launcher(Protocol):
    """Starts jobs, lists them, ends them. The list is the truth."""

    def submit(self, spec: JobSpec) -> None:
        """Start a job; one with the same name that is there already is left as it is."""

    def list(self) -> Sequence[Job]:
        """Every job that has not been removed, whoever started it."""

    def logs(self, name: str) -> Iterator[bytes]:
        """What the job has printed so far, in chunks."""

    def cancel(self, name: str) -> None:
        """End a job's processes; one that is gone already is no error."""

    def remove(self, name: str) -> None:
        """Forget an ended job and its scratch folder, once its outcome is recorded."""
