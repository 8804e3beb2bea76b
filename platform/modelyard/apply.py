"""Say what would change, and do it: register feature sets, write revisions, queue runs, archive what is gone.

Each change is one transaction of the registry, and none depends on one that comes after it. So a process that dies in
between has applied a part of the plan, and the next plan says what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.config.definitions import ModelDefinition, kept_definition
from modelyard.config.plan import Action, check_applicable, make_plan
from modelyard.config.plan_values import Held, HeldFeatureSet, HeldModel
from modelyard.config.problems import ConfigErrors
from modelyard.features.problems import compile_problems
from modelyard.registry.pages import every
from modelyard.train import check_reachable, request_run

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.config.plan import Change, Key, Plan
    from modelyard.registry.records import Run
    from modelyard.registry.registry import Registry
    from modelyard.workspace import Workspace


@dataclass(frozen=True)
class Applied:
    """What was done."""

    changes: tuple[Change, ...]
    runs: tuple[Run, ...]
    """The runs that were queued, or found queued already."""


def plan_changes(workspace: Workspace, only: Collection[Key] | None = None) -> Plan:
    """What applying a project would change in its registry.

    Args:
        workspace: The project and its back-ends.
        only: The documents to look at, by kind and name; all of them, and those that are gone, unless said.

    Raises:
        InvalidData: A feature set does not compile, or a condition of a model does what it may not.
        Conflict: A name of this project belongs to another project.
    """
    if problems := [*compile_problems(workspace.project)]:
        raise ConfigErrors(problems)
    return make_plan(workspace.project, _read_held(workspace.registry), only)


def _read_held(registry: Registry) -> Held:
    """Every model and feature set of a registry, those of other projects included."""
    models = (
        HeldModel(
            name=record.name,
            project=record.project,
            revision=record.revision,
            definition=record.definition,
            archived=record.archived_at is not None,
            trained=record.latest is not None,
        )
        for record in every(lambda page: registry.models(page=page))
    )
    feature_sets = (
        HeldFeatureSet(
            name=record.name,
            project=record.project,
            number=record.number,
            digest=record.digest,
            definition=record.definition,
            archived=record.archived_at is not None,
        )
        for record in every(lambda page: registry.feature_sets(page=page))
    )
    return Held({model.name: model for model in models}, {known.name: known for known in feature_sets})


def apply_plan(workspace: Workspace, plan: Plan) -> Applied:
    """Apply a plan that was made of the workspace's project and registry just now.

    Args:
        workspace: The project and its back-ends.
        plan: What to do.

    Raises:
        InvalidData: Something to be applied waits for an environment variable, does not compile, or would be trained
            in a cluster on files of this machine.
        Conflict: Somebody else changed what the plan was made of meanwhile.
    """
    check_applicable(workspace.project, plan)
    for change in plan.changes:
        if change.run:
            check_reachable(workspace, workspace.project.models[change.name])
    runs: list[Run] = []
    for change in sorted(plan.changes, key=lambda change: change.kind != "FeatureSet"):
        if change.kind == "FeatureSet":
            _apply_feature_set(workspace, change)
        else:
            run = _apply_model(workspace, change)
            runs += [run] if run is not None else []
    return Applied(plan.changes, tuple(runs))


def _apply_feature_set(workspace: Workspace, change: Change) -> None:
    from modelyard.features.registration import register_feature_sets

    if change.action is Action.ARCHIVE:
        workspace.registry.archive_feature_set(change.name, reason="its document is gone")
        return
    definition = workspace.project.feature_sets[change.name]
    register_feature_sets([definition], workspace.registry, workspace.project.name)


def _apply_model(workspace: Workspace, change: Change) -> Run | None:
    if change.action is Action.ARCHIVE:
        workspace.registry.archive_model(change.name, reason="its document is gone")
        return None
    definition = workspace.project.models[change.name]
    run = request_run(workspace, definition) if change.run else None
    if run is None and change.action is Action.UPDATE:
        definition = _with_applied_feature_sets(workspace, definition)
    workspace.registry.apply_model(
        definition.content(), project=workspace.project.name, expected_revision=change.held, run=run
    )
    return run


def _with_applied_feature_sets(workspace: Workspace, definition: ModelDefinition) -> ModelDefinition:
    """A definition that keeps the feature sets it was trained with, so that it stays outdated until it is trained."""
    record = workspace.registry.model(definition.name)
    applied = kept_definition(ModelDefinition, record.definition, f"model `{record.name}`")
    return definition.model_copy(update={"feature_sets": applied.feature_sets})
