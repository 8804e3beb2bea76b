"""Makes the jobs of runs: what a launcher starts, with what each job is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.canonical import canonical_json
from modelyard.errors import UsageError
from modelyard.registry.credential import Credential
from modelyard.run_tokens import mint, read_run_key
from modelyard.training.launchers.launcher import JobKind, JobSpec
from modelyard.training.tasks import BuildTask, JobTask, TrainTask, task_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.registry.records import Run
    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings

MODULES = {JobKind.BUILD: "modelyard.jobs.build", JobKind.TRAIN: "modelyard.jobs.train"}
"""What each kind of job runs."""


def check_reach(settings: Settings, *, registers: bool = True) -> None:
    """Make sure that a process of this machine that trains would reach the registry, before anything is begun.

    Args:
        settings: How the registry is reached.
        registers: Whether it registers a version; where the registry asks who calls, it needs the token of its run.

    Raises:
        UsageError: It would not.
    """
    if settings.registry_in_aws:
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
        task = BuildTask(spec=spec, root=str(self.settings.root), environment=self.settings.variables())
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
                token=self._token(of),
                actor=self.settings.actor,
                register_version=register_version,
            )

        return self._job(name, JobKind.TRAIN, spec, task, of)

    def _token(self, run: Run | None) -> str:
        """The run's token, where there is a key; a trial is no run's, and shows that of whoever asked for it."""
        if run is None:
            return Credential(self.settings.token, self.settings.token_file).token
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
