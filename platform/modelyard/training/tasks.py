"""What jobs are handed, and what they are called: a job's name says which run and which try it is of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.canonical import canonical_json
from modelyard.datasets.names import ALL, training_set_dataset
from modelyard.errors import Conflict, NotFound, UsageError
from modelyard.registry.records import RunState
from modelyard.registry.run_spec import read_run_spec
from modelyard.run_tokens import mint, read_run_key
from modelyard.training.job_tasks import JobTask, PrepareTask, TaskFile, TrainTask
from modelyard.training.launchers.launcher import JobKind, JobSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.registry.records import Run
    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings

MODULES = {JobKind.BUILD: "modelyard.jobs.prepare", JobKind.TRAIN: "modelyard.jobs.train"}

_TRAINING = re.compile(r"(?P<run>[a-z0-9-]+-[0-9a-f]{12}-[0-9]+)-[0-9]+")
_BUILD = re.compile(r"prepare-(?P<digest>[0-9a-f]{20})-[0-9]+")
DIRECT = "dynamodb+s3:"
"""How the address of a registry begins that is used without a service."""

_DIGEST = 20  # characters of a digest in a job's name: enough to be unique, few enough for any launcher


def training_job(run: Run) -> str:
    """The name of the job of a run's present try."""
    return f"{run.id}-{run.tries}"


def build_prefix(spec: RunSpec) -> str:
    """What the names of the jobs that build a training set begin with."""
    return f"prepare-{spec.training_set[:_DIGEST]}-"


def run_of(job: str) -> str | None:
    """The id of the run whose training a job is; None for other jobs."""
    match = None if is_build(job) else _TRAINING.fullmatch(job)
    return match["run"] if match else None


def is_build(job: str) -> bool:
    """Whether a job builds a training set."""
    return _BUILD.fullmatch(job) is not None


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


def check_reach(settings: Settings, *, registers: bool = True) -> None:
    """Make sure that a process of this machine that trains would reach the registry, before anything is begun.

    Args:
        settings: How the registry is reached.
        registers: Whether it registers a version; where the registry asks who calls, it needs the token of its run.

    Raises:
        UsageError: It would not.
    """
    if settings.registry.startswith(DIRECT):
        reason = "a process that trains has no credentials of AWS, and the registry is reached with them alone"
        raise UsageError(reason, "run `modelyard serve registry`, and set MODELYARD_REGISTRY to its address")
    if settings.run_key_file:
        read_run_key(settings.run_key_file)
    elif registers and (settings.token or settings.token_file):
        reason = "the registry asks who calls, and nothing here makes the tokens of runs"
        hint = (
            "set MODELYARD_LAUNCHER=kubernetes where a controller runs them, "
            "else MODELYARD_RUN_KEY_FILE to the registry's key"
        )
        raise UsageError(reason, hint)


@dataclass(frozen=True)
class JobMaker:
    """Makes the jobs of runs.

    Args:
        settings: Where jobs find the registry, the datasets and the sources.
        datasets: Where training sets are.
        in_pods: Whether jobs are pods, which ask the registry for their task; else they are handed it in a file.
    """

    settings: Settings
    datasets: DatasetStore
    in_pods: bool = False

    def build(self, name: str, spec: RunSpec, run: Run | None = None) -> JobSpec:
        """The job that builds the training set of a run.

        Args:
            name: The job's name.
            spec: What the run is asked to do.
            run: The run; none for a trial.
        """
        task = PrepareTask(spec=spec, root=str(self.settings.root), environment=self.settings.variables())
        return self._job(name, JobKind.BUILD, spec, lambda: task, run)

    def training(
        self,
        name: str,
        run: str,
        spec: RunSpec,
        built: Manifest,
        *,
        of: Run | None = None,
        register_version: bool = True,
    ) -> JobSpec:
        """The job that trains.

        Args:
            name: The job's name.
            run: The run's id.
            spec: What it is asked to do.
            built: Its training set.
            of: The run itself; none for a trial.
            register_version: Whether a version is registered.
        """

        def task() -> TrainTask:
            return TrainTask(
                run=run,
                spec=spec,
                files=task_files(built, self.datasets.files(built)),
                training_set_content=built.digest,
                roles=built.details["roles"],
                registry=self.settings.registry,
                token="" if of is None else self._token(of),
                actor=self.settings.actor,
                register_version=register_version,
            )

        return self._job(name, JobKind.TRAIN, spec, task, of)

    def _token(self, run: Run) -> str:
        key_file = self.settings.run_key_file
        return mint(run.id, run.tries, read_run_key(key_file)) if key_file else ""

    def _job(self, name: str, kind: JobKind, spec: RunSpec, task: Callable[[], JobTask], run: Run | None) -> JobSpec:
        return JobSpec(
            name,
            MODULES[kind],
            spec.definition.document.resources,
            kind,
            task=b"" if self.in_pods else canonical_json(task().content()),
            run="" if run is None else run.id,
            tries=0 if run is None else run.tries,
            team="" if run is None else run.team,
            digest=spec.training_set if kind is JobKind.BUILD else spec.request,
        )
