"""What the processes of jobs are handed, as canonical JSON: the same for a local process and for a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from modelyard.datasets.names import ALL, training_set_dataset
from modelyard.errors import Conflict, NotFound
from modelyard.registry.records import RunState
from modelyard.registry.run_spec import RunSpec, read_run_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.registry.records import Run


class JobTask(BaseModel):
    """What a job's process is handed, in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    spec: RunSpec
    """What the run that needs the job is asked to make."""

    def content(self) -> dict[str, Any]:
        """The task as plain JSON values."""
        return {**self.model_dump(mode="json", exclude={"spec"}), "spec": self.spec.content()}


class TaskFile(BaseModel):
    """One Parquet file of a training set, as the job that trains finds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    place: str
    """A path of this machine, or a presigned URL."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal characters; what comes from a URL is compared with it."""


class TrainTask(JobTask):
    """What the job that trains is handed: where to read and to write."""

    run: str
    """The run's id."""
    files: tuple[TaskFile, ...]
    """The training set's files."""
    training_set_content: str
    """The digest of what the training set holds; `spec.training_set` is that of what it was asked to hold."""
    roles: dict[str, Any]
    """What each column of the training set is."""
    registry: str
    """The registry's address; the bundles of the project's own modules are there as well."""
    token: str = Field(default="", repr=False)
    """The token of this try of the run, or of who asked for a trial, where a process of this machine is handed one; a
    pod has it mounted."""
    actor: str = "training"
    """Who is named in the history of a registry on this machine."""
    register_version: bool = True
    """Whether a version is registered when the gates are met."""


class BuildTask(JobTask):
    """What the job that builds a training set is handed."""

    environment: dict[str, str]
    """The variables that its settings are read from."""
    root: str
    """The project's folder: relative paths of sources start here."""


def training_set(datasets: DatasetStore, spec: RunSpec) -> Manifest | None:
    """The training set that a run asks for, if it is built."""
    return datasets.manifest(training_set_dataset(spec.training_set), ALL)


def task_files(built: Manifest, places: Sequence[str]) -> tuple[TaskFile, ...]:
    """The files of a training set, for a task.

    Args:
        built: The training set.
        places: Where each of its files is, in their order: paths, or presigned URLs.
    """
    return tuple(
        TaskFile(place=place, size=file.size, sha256=file.sha256)
        for file, place in zip(built.files, places, strict=True)
    )


def pod_task(run: Run, datasets: DatasetStore, seconds: int) -> TrainTask:
    """What the pod of a run that trains is handed: its own training set, by URLs that open nothing else.

    Args:
        run: The run.
        datasets: Where training sets are.
        seconds: How long the URLs open them.

    Raises:
        Conflict: The run does not train just now.
        NotFound: Its training set is gone.
        InvalidData: Its specification can't be read.
    """
    if run.state is not RunState.TRAINING:
        reason = f"run `{run.id}` is {run.state}, and has nothing to train"
        raise Conflict(reason)
    spec = read_run_spec(run)
    built = training_set(datasets, spec)
    if built is None:
        reason = f"the training set of run `{run.id}` is gone"
        raise NotFound(reason)
    return TrainTask(
        run=run.id,
        spec=spec,
        files=task_files(built, datasets.presigned(built, seconds)),
        training_set_content=built.digest,
        roles=built.details["roles"],
        registry="",  # the pod knows it
    )
