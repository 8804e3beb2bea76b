"""What a change means: a project's definitions beside what the registry holds of them. Nothing is asked, nothing done.

A field of a model is one of three. Training: a new run. Deployment: a new revision, and no run. Prose: a new
revision. A feature set whose values change gets a new version; the models that use it are listed as outdated, and
trained when they are selected. Where only its upkeep changes (owner, description, expectations, where its sources
lie), its version stays. A document that is gone archives what it made, unless the plan was narrowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelyard.canonical import digest
from modelyard.config.definitions import ModelDefinition
from modelyard.config.differences import differences
from modelyard.config.plan_values import UPKEEP, VALUES, Action, Change, Held, HeldFeatureSet, HeldModel, Key, Plan
from modelyard.config.substitution import refuse_unset, unset_variables
from modelyard.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.config.project import LoadedProject

__all__ = ["Action", "Change", "Held", "HeldFeatureSet", "HeldModel", "Key", "Plan", "check_applicable", "make_plan"]

PARTS = ("with", "training", "deployment", "prose")
"""The parts of a model that are compared; `with` says what was written, `training` what it comes to."""


def make_plan(project: LoadedProject, held: Held, only: Collection[Key] | None = None) -> Plan:
    """Compare a project with what the registry holds of it.

    Args:
        project: The project.
        held: What the registry holds; what belongs to other projects stays as it is.
        only: The documents to look at, by kind and name; all of them, and those that are gone, unless said.

    Raises:
        Conflict: A name of this project belongs to another project.
    """
    _refuse_names_of_others(project, held)
    chosen = None if only is None else _with_feature_sets(project, only)
    changes = [*_feature_set_changes(project, held, chosen), *_model_changes(project, held, chosen)]
    contents = {name: model.content() for name, model in project.models.items() if _in(chosen, "Model", name)}
    return Plan(
        project=project.name,
        environment=project.environment,
        only=None if only is None else tuple(sorted(only)),
        changes=tuple(changes),
        outdated=_outdated(project, held, {change.name for change in changes if change.run}) if only is None else {},
        unset=tuple(sorted(unset_variables(contents))),
        digest=_identity(project, held, only),
    )


def check_applicable(project: LoadedProject, plan: Plan) -> None:
    """Check that nothing would be applied that waits for an environment variable.

    Raises:
        InvalidData: An environment variable is not set.
    """
    for change in plan.changes:
        if change.kind == "Model" and change.action is not Action.ARCHIVE:
            refuse_unset(project.models[change.name].content(), f"the model `{change.name}`")
        elif change.action is not Action.ARCHIVE:
            refuse_unset(project.feature_sets[change.name].content(), f"the feature set `{change.name}`")


# Names and selections ----------------------------------------------------------------------------------------------


def _refuse_names_of_others(project: LoadedProject, held: Held) -> None:
    records: list[tuple[str, HeldModel | HeldFeatureSet]]
    records = [("model", held.models[name]) for name in project.models if name in held.models]
    records += [("feature set", held.feature_sets[name]) for name in project.feature_sets if name in held.feature_sets]
    for noun, record in records:
        if record.project != project.name:
            reason = f"the {noun} `{record.name}` belongs to the project `{record.project}`"
            raise Conflict(reason, "names are unique in a registry: choose another one")


def _with_feature_sets(project: LoadedProject, only: Collection[Key]) -> set[Key]:
    """A selection, with the feature sets that its models need, and those that these need."""
    waiting = [project.models[name].feature_sets for kind, name in only if kind == "Model"]
    waiting += [project.feature_sets[name].refs for kind, name in only if kind == "FeatureSet"]
    chosen = set(only)
    while waiting:
        for name, needed in waiting.pop().items():
            chosen.add(("FeatureSet", name))
            waiting.append(needed.refs)
    return chosen


def _in(chosen: Collection[Key] | None, kind: str, name: str) -> bool:
    return chosen is None or (kind, name) in chosen


# Feature sets ------------------------------------------------------------------------------------------------------


def _feature_set_changes(project: LoadedProject, held: Held, chosen: Collection[Key] | None) -> Iterator[Change]:
    for name, definition in sorted(project.feature_sets.items()):
        change = _feature_set_change(definition, held.feature_sets.get(name))
        if change is not None and _in(chosen, "FeatureSet", name):
            yield change
    if chosen is None:
        for record in held.feature_sets.values():
            if record.project == project.name and not record.archived and record.name not in project.feature_sets:
                yield Change("FeatureSet", record.name, Action.ARCHIVE, record.number)


def _feature_set_change(definition: FeatureSetDefinition, record: HeldFeatureSet | None) -> Change | None:
    if record is None:
        return Change("FeatureSet", definition.name, Action.CREATE)
    fields = tuple(differences(record.definition, definition.content()))
    if record.archived:
        return Change("FeatureSet", definition.name, Action.RESTORE, record.number, fields=fields)
    parts = (UPKEEP if record.digest == definition.digest else VALUES,)
    return Change("FeatureSet", definition.name, Action.UPDATE, record.number, parts, fields=fields) if fields else None


# Models ------------------------------------------------------------------------------------------------------------


def _model_changes(project: LoadedProject, held: Held, chosen: Collection[Key] | None) -> Iterator[Change]:
    outdated = {} if chosen is None else _outdated(project, held)
    for name, definition in sorted(project.models.items()):
        if _in(chosen, "Model", name):
            change = _model_change(definition, held.models.get(name), outdated.get(name, ()))
            if change is not None:
                yield change
    if chosen is None:
        for record in held.models.values():
            if record.project == project.name and not record.archived and record.name not in project.models:
                yield Change("Model", record.name, Action.ARCHIVE, record.revision)


def _model_change(definition: ModelDefinition, record: HeldModel | None, because: tuple[str, ...]) -> Change | None:
    if record is None:
        return Change("Model", definition.name, Action.CREATE, run=True)
    before = _read(record.definition)
    changed = {part: list(differences(_part(before, part), _part(definition, part))) for part in PARTS}
    if not changed["training"]:
        del changed["with"]  # a parameter that comes to the same pipeline
    parts = tuple(part for part in ("training", "deployment", "prose") if changed[part])
    fields = tuple(field for part in changed.values() for field in part)
    mended = not record.trained and before is not None and _run_with(before) != _run_with(definition)
    run = bool(changed["training"] or because or record.archived or mended)
    if not (parts or run):
        return None
    action = Action.RESTORE if record.archived else Action.UPDATE
    return Change("Model", definition.name, action, record.revision, parts, run, fields, because)


def _run_with(definition: ModelDefinition) -> object:
    """What may fail a run and is no part of what it makes: its limits, where its sources lie, how they are checked."""
    return definition.document.resources, [source.content() for source in definition.trained_on()]


def _part(definition: ModelDefinition | None, part: str) -> dict[str, Any]:
    if definition is None:
        return {}
    if part == "with":
        written = definition.document.content()
        return {key: written[key] for key in ("architecture", "with") if key in written}
    content: dict[str, Any] = getattr(definition, part)
    return content


def _read(definition: Mapping[str, Any]) -> ModelDefinition | None:
    """A definition as it was applied; None where another version of Modelyard wrote it and this one cannot read it."""
    try:
        return ModelDefinition.model_validate(definition)
    except ValidationError:
        return None


def _outdated(project: LoadedProject, held: Held, trained: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """The models that use feature sets which changed since the models were applied, and these sets.

    Args:
        project: The project.
        held: What the registry holds.
        trained: The models that are trained anyway.
    """
    outdated: dict[str, tuple[str, ...]] = {}
    for name, definition in sorted(project.models.items()):
        record = held.models.get(name) if name not in trained else None
        before = _read(record.definition) if record and definition.feature_sets else None
        if before is not None:
            pairs = ((key, before.feature_sets.get(key), now) for key, now in definition.feature_sets.items())
            changed = tuple(sorted(key for key, then, now in pairs if then is not None and then.digest != now.digest))
            outdated |= {name: changed} if changed else {}
    return outdated


def _identity(project: LoadedProject, held: Held, only: Collection[Key] | None) -> str:
    models = {
        name: [record.revision, record.archived]
        for name, record in held.models.items()
        if record.project == project.name
    }
    sets = {
        name: [record.number, record.archived]
        for name, record in held.feature_sets.items()
        if record.project == project.name
    }
    return digest({
        "project": project.name,
        "environment": project.environment,
        "only": None if only is None else sorted(only),
        "held": {"models": models, "feature_sets": sets},
        "models": {name: definition.content() for name, definition in project.models.items()},
        "feature_sets": {name: definition.content() for name, definition in project.feature_sets.items()},
    })  # fmt: skip
