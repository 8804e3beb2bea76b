"""What the processes of jobs are handed, as canonical JSON: the same for a local process and for a pod."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modelyard.registry.run_spec import RunSpec


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
    """The token of this try of the run, where a process of this machine is handed one; a pod has it mounted."""
    actor: str = "training"
    """Who is named in the history of a registry on this machine."""
    register_version: bool = True
    """Whether a version is registered when the gates are met."""


class PrepareTask(JobTask):
    """What the job that builds a training set is handed."""

    environment: dict[str, str]
    """The variables that its settings are read from."""
    root: str
    """The project's folder: relative paths of sources start here."""
