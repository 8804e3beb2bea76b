"""Trials: a model fitted and judged here and now, with other settings or on a sample, and nothing registered.

A trial goes through the same jobs as a run. It is in no list of the registry, and ends with whoever asked for it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from modelyard.config.definitions import ModelDefinition
from modelyard.config.kinds.architecture import Step
from modelyard.config.kinds.base import Many
from modelyard.config.substitution import substitute
from modelyard.errors import IntegrityError, UsageError
from modelyard.near_miss import near_miss
from modelyard.registry.records import Outcome
from modelyard.training.job import read_outcome
from modelyard.training.job_maker import JobMaker, check_reach
from modelyard.training.job_names import is_trial, new_trial
from modelyard.training.launchers.launcher import JobState
from modelyard.training.tasks import training_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.config.kinds import Architecture
    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings
    from modelyard.training.launchers.launcher import Job, JobSpec, Launcher

INTERVAL = 0.1  # seconds between looks at a trial's job: someone waits for it

_STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(Many[Step])


@dataclass(frozen=True)
class Trials:
    """Runs trials on this machine.

    Args:
        launcher: Where their jobs run.
        datasets: Where their training sets are.
        settings: What jobs need to know.
        tell: Told what a trial does, and which part of it is done.
    """

    launcher: Launcher
    datasets: DatasetStore
    settings: Settings
    tell: Callable[[str, float], None] = lambda _what, _part: None

    def run(self, spec: RunSpec) -> Outcome:
        """Build a training set, if it is not there, then fit and judge.

        Args:
            spec: What to make.

        Returns:
            How it ended: with metrics, and the gates that it missed as the reason.

        Raises:
            UsageError: Its process would not reach the registry.
        """
        check_reach(self.settings, registers=False)
        self._sweep()
        name = new_trial()
        maker = JobMaker(self.settings, self.datasets)
        if training_set(self.datasets, spec) is None:
            ended = self._watch(maker.build(f"{name}-build", spec))
            if not ended.ok:
                return ended
        built = training_set(self.datasets, spec)
        if built is None:
            reason = "the training set was built, and is not there"
            raise IntegrityError(reason)
        return self._watch(maker.training(name, spec.run_id(0), spec, built, register_version=False))

    def _watch(self, job: JobSpec) -> Outcome:
        self.launcher.submit(job)
        try:
            while True:
                found = next((known for known in self.launcher.list() if known.name == job.name), None)
                if found is None or found.state is not JobState.RUNNING:
                    return _outcome(found)
                self._tell_progress(job.name)
                time.sleep(INTERVAL)
        finally:
            self.launcher.cancel(job.name)
            self.launcher.remove(job.name)

    def _tell_progress(self, name: str) -> None:
        lines = b"".join(self.launcher.logs(name)).decode(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.startswith("progress ")), None)
        if last is not None:
            _, part, what = last.split(" ", 2)
            self.tell(what, float(part))

    def _sweep(self) -> None:
        """Forget ended jobs of trials whose process was killed."""
        for job in self.launcher.list():
            if is_trial(job.name) and job.state is not JobState.RUNNING:
                self.launcher.remove(job.name)


def _outcome(job: Job | None) -> Outcome:
    if job is None:
        return Outcome(ok=False, reason="its job was removed")
    left = read_outcome(job.outcome)
    return left or Outcome(
        ok=False, reason=job.reason or "its job left no outcome that can be read", permanent=job.permanent
    )


def with_settings(
    definition: ModelDefinition, settings: Sequence[str], architectures: Mapping[str, Architecture]
) -> ModelDefinition:
    """A definition with some fields set otherwise.

    Args:
        definition: The model.
        settings: Each `FIELD=VALUE`: the field by its path in the model's document, such as `with.learning_rate`,
            `data.split.test`, `pipeline.1.with.n_estimators`; the value as JSON, or as text where it is none.
        architectures: The project's architectures.

    Raises:
        UsageError: A setting has another form, or names a field that is not there, or can't have the value.
    """
    content = definition.content()
    fields = [_field_and_value(setting) for setting in settings]
    for field, value in fields:
        if _section(field) != "pipeline":
            _set(content["document"], field.split("."), value, field)
    for field, _ in fields:
        if _section(field) in ("architecture", "with"):
            content["pipeline"] = _pipeline(content["document"], field, architectures)
    for field, value in fields:  # the last ones: they change the steps that the architecture comes to
        if _section(field) == "pipeline":
            _set(content, field.split("."), value, field)
    if not content["pipeline"]:
        reason = "--set: the pipeline has no step"
        raise UsageError(reason, "set a step of it, as in pipeline.0.with.max_depth")
    try:
        return ModelDefinition.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise _not_settable(error) from error


def _field_and_value(setting: str) -> tuple[str, Any]:
    field, equals, text = setting.partition("=")
    if not equals or not field:
        reason = f"`{setting}` is not FIELD=VALUE"
        raise UsageError(reason, "for example --set with.learning_rate=0.1")
    return field, _value(text)


def _section(field: str) -> str:
    return field.partition(".")[0]


def _not_settable(error: ValidationError) -> UsageError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "document")
    unknown = first["type"] == "extra_forbidden"
    said = "there is no such field" if unknown else first["msg"].removeprefix("Value error, ")
    reason = ": ".join(part for part in ("--set", place, said) if part)
    return UsageError(reason, "`modelyard explain Model` lists the fields")


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(constant: str) -> Any:
    """NaN and infinities are no JSON, and no value of a definition."""
    raise ValueError(constant)


def _set(content: Any, path: Sequence[str], value: Any, field: str) -> None:
    *way, last = path
    try:
        for part in way:
            content = content[int(part)] if isinstance(content, list) else content.setdefault(part, {})
        content[int(last) if isinstance(content, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        reason = f"--set: the model has no `{field}`"
        raise UsageError(reason, "steps of a list are numbered from 0, as in pipeline.1.with.max_depth") from error


def _pipeline(document: Mapping[str, Any], field: str, architectures: Mapping[str, Architecture]) -> list[Any]:
    """The architecture's pipeline with the parameters put in."""
    name, given = document.get("architecture"), document.get("with", {})
    if not isinstance(name, str):
        reason = f"--set: `{field}` is for a model with an architecture"
        raise UsageError(reason, "set a step of its own pipeline, as in pipeline.0.with.max_depth")
    if name not in architectures:
        reason = f"--set: there is no Architecture `{name}`"
        raise UsageError(reason, near_miss(name, architectures))
    if not isinstance(given, dict):
        reason = "--set: `with` is a mapping of parameters"
        raise UsageError(reason, "as with.learning_rate=0.1, or with={} for the architecture's own values")
    architecture = architectures[name]
    unknown = [parameter for parameter in given if parameter not in architecture.parameters]
    if unknown:
        reason = f"--set: the architecture `{architecture.name}` has no parameter `{unknown[0]}`"
        raise UsageError(reason, near_miss(unknown[0], architecture.parameters, what="it has"))
    steps = [step.content() for step in architecture.pipeline]
    values = {**architecture.parameters, **given}
    return [step.content() for step in _STEPS.validate_python(substitute(steps, values))]
