"""Train a project's models when somebody says so: as runs that register versions, or as trials that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from modelyard.config.definitions import FeatureSetDefinition, ModelDefinition
    from modelyard.registry.records import ModelRecord, Outcome, Run
    from modelyard.registry.run_spec import RunSpec
    from modelyard.training.identity import Platform
    from modelyard.workspace import Workspace

T = TypeVar("T", bound="FeatureSetDefinition | ModelDefinition")


@dataclass(frozen=True)
class Ordered:
    """A run that was asked for."""

    run: Run
    """It may be one that ended long ago, where the same was asked before."""
    applied: bool
    """Whether the model's definition was applied with it."""


def order_run(workspace: Workspace, name: str, *, day: date | None = None, again: bool = False) -> Ordered:
    """Queue the run that a model asks for; its definition is applied with it, where the registry holds another one.

    Args:
        workspace: The project and its back-ends.
        name: The model.
        day: The run is as of this day's start in the model's timezone; today unless said.
        again: Whether a new attempt is made even where the same was made before.

    Raises:
        NotFound: The project has no such model.
        InvalidData: It waits for an environment variable, does not compile, a module has changed meanwhile, or it
            would be trained in a cluster on files of this machine.
        Conflict: Somebody else changed the model meanwhile, or it belongs to another project.
    """
    definition = model_named(workspace, name)
    check_reachable(workspace, definition)
    run = request_run(workspace, definition, day=day, again=again)
    held, content = _held(workspace, name), definition.content()
    is_held = held is not None and held.archived_at is None and held.definition == content
    revision = 0 if held is None else held.revision
    workspace.registry.apply_model(content, project=workspace.project.name, expected_revision=revision, run=run)
    return Ordered(workspace.registry.run(run.id), applied=not is_held)


def try_out(
    workspace: Workspace,
    name: str,
    *,
    day: date | None = None,
    sample: float | None = None,
    settings: Sequence[str] = (),
    tell: Callable[[str, float], None] | None = None,
) -> Outcome:
    """Fit and judge a model here and now, and register nothing.

    Args:
        workspace: The project and its back-ends.
        name: The model.
        day: As of this day's start in the model's timezone; today unless said.
        sample: The part of the label rows that is used; all of them unless said.
        settings: Fields that are set otherwise, each as `FIELD=VALUE`.
        tell: Told what is being done, and which part of it is done.

    Raises:
        NotFound: The project has no such model.
        UsageError: A setting is wrong.
        InvalidData: It waits for an environment variable, or a feature set does not compile.
    """
    from modelyard.training.trials import Trials, with_settings

    definition = with_settings(model_named(workspace, name), settings, workspace.project.architectures)
    spec = run_spec(workspace, definition, day=day, sample=sample)
    return Trials(workspace.launcher, workspace.datasets, workspace.settings, tell or _say_nothing).run(spec)


def check_reachable(workspace: Workspace, definition: ModelDefinition) -> None:
    """Check that whoever builds a model's training set can reach its sources: a pod sees no folder of a project.

    Raises:
        InvalidData: Runs are a cluster's, and a source lies in the project's folder.
    """
    if workspace.runs_here:
        return
    for source in definition.trained_on():
        if source.in_project:
            reason = f"model `{definition.name}`: source `{source.name}` lies in the project's folder, at {source.path}"
            raise InvalidData(reason, "runs are a cluster's: name a bucket, as s3://BUCKET/FOLDER/*.parquet")


def request_run(
    workspace: Workspace, definition: ModelDefinition, *, day: date | None = None, again: bool = False
) -> Run:
    """The run that a model's definition asks for: one that is there, or a new one, not yet queued.

    Args:
        workspace: The project and its back-ends.
        definition: The model.
        day: The run is as of this day's start in the model's timezone; today unless said.
        again: Whether a new attempt is made even where the same was made before.

    Raises:
        InvalidData: A feature set does not compile, or a module of the project has changed meanwhile.
        NotFound: Runs are a cluster's, and nothing says which image they train in.
    """
    from modelyard.training.requests import plan_run

    spec = run_spec(workspace, definition, day=day, platform=workspace.platform)
    project, actor = workspace.project.name, workspace.settings.actor
    return plan_run(workspace.registry, spec, project=project, actor=actor, again=again)


def run_spec(
    workspace: Workspace,
    definition: ModelDefinition,
    *,
    day: date | None = None,
    sample: float | None = None,
    platform: Platform | None = None,
) -> RunSpec:
    """What a run of a definition is asked to make; its feature sets are registered, its modules kept.

    Args:
        workspace: The project and its back-ends.
        definition: The model.
        day: As of this day's start in the model's timezone; today unless said.
        sample: The part of the label rows that is used; all of them unless said.
        platform: What will train; this process's own unless said.

    Raises:
        InvalidData: A feature set does not compile, or a module of the project has changed meanwhile.
    """
    from modelyard.features.registration import register_feature_sets
    from modelyard.training.bundles import keep_bundles
    from modelyard.training.requests import make_spec

    settings = workspace.settings
    pins = register_feature_sets(definition.feature_sets.values(), workspace.registry, workspace.project.name)
    keep_bundles(workspace.registry, settings.root, definition.bundles)
    ordered = [pins[name] for name in definition.feature_sets]
    return make_spec(definition, ordered, day=day, sample=sample, platform=platform)


def model_named(workspace: Workspace, name: str) -> ModelDefinition:
    """A model of the project.

    Raises:
        NotFound: The project has no such model.
        InvalidData: It waits for an environment variable.
    """
    return _named(workspace.project.models, name, workspace, "model")


def feature_set_named(workspace: Workspace, name: str) -> FeatureSetDefinition:
    """A feature set of the project.

    Raises:
        NotFound: The project has no such feature set.
        InvalidData: It waits for an environment variable.
    """
    return _named(workspace.project.feature_sets, name, workspace, "feature set")


def _named(known: Mapping[str, T], name: str, workspace: Workspace, noun: str) -> T:
    from modelyard.config.substitution import refuse_unset
    from modelyard.near_miss import near_miss

    if name not in known:
        reason = f"the project `{workspace.project.name}` has no {noun} `{name}`"
        raise NotFound(reason, near_miss(name, known))
    refuse_unset(known[name].content(), f"the {noun} `{name}`")
    return known[name]


def _held(workspace: Workspace, name: str) -> ModelRecord | None:
    try:
        return workspace.registry.model(name)
    except NotFound:
        return None


def _say_nothing(_what: str, _part: float) -> None:
    pass
