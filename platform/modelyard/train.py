"""Train a project's models when somebody says so: as runs that register versions, or as trials that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.apply import request_run
from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from modelyard.config.definitions import ModelDefinition
    from modelyard.registry.records import ModelRecord, Run
    from modelyard.training.job import Outcome
    from modelyard.workspace import Workspace


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
        InvalidData: It waits for an environment variable, does not compile, or a module has changed meanwhile.
        Conflict: Somebody else changed the model meanwhile, or it belongs to another project.
    """
    definition = _definition(workspace, name)
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
    from modelyard.features.registration import register_feature_sets
    from modelyard.training.bundles import keep_bundles
    from modelyard.training.requests import make_spec
    from modelyard.training.trials import Trials, with_settings

    definition = with_settings(_definition(workspace, name), settings, workspace.project.architectures)
    pins = register_feature_sets(definition.feature_sets.values(), workspace.registry, workspace.project.name)
    keep_bundles(workspace.settings.root, definition.bundles, workspace.settings.home / "bundles")
    spec = make_spec(definition, [pins[one] for one in definition.feature_sets], day=day, sample=sample)
    return Trials(workspace.launcher, workspace.datasets, workspace.settings, tell or _say_nothing).run(spec)


def _definition(workspace: Workspace, name: str) -> ModelDefinition:
    from modelyard.config.problems import near_miss
    from modelyard.config.substitution import refuse_unset

    models = workspace.project.models
    if name not in models:
        reason = f"the project `{workspace.project.name}` has no model `{name}`"
        raise NotFound(reason, near_miss(name, models))
    refuse_unset(models[name].content(), f"the model `{name}`")
    return models[name]


def _held(workspace: Workspace, name: str) -> ModelRecord | None:
    try:
        return workspace.registry.model(name)
    except NotFound:
        return None


def _say_nothing(_what: str, _part: float) -> None:
    pass
