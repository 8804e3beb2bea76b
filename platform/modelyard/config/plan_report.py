"""A plan for people: as text for a terminal, as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.plan_values import UPKEEP, Action
from modelyard.config.problems import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.plan_values import Change, Plan

SIGNS = {Action.CREATE: "+", Action.RESTORE: "+", Action.UPDATE: "~", Action.ARCHIVE: "-"}


def render_plan(plan: Plan) -> str:
    """A plan as text."""
    return "\n".join(_text(plan))


def render_markdown(plan: Plan) -> str:
    """A plan as Markdown: a line for each change, and its fields below."""
    lines = [f"### Plan for `{plan.project}` ({plan.environment})", ""]
    for change in plan.changes:
        lines.append(f"- **{change.action.value}** {change.kind} `{change.name}`: {meaning(change)}")
        lines += [f"  - `{_escaped(str(field))}`" for field in change.fields]
    lines += ["", *_notes(plan), "", f"**{totals(plan)}**"]
    return "\n".join(lines)


def _text(plan: Plan) -> Iterator[str]:
    yield f"Project {plan.project}, environment {plan.environment}"
    for change in plan.changes:
        yield f"  {SIGNS[change.action]} {change.kind} {change.name}: {meaning(change)}"
        for field in change.fields:
            yield f"      {field}"
    yield from _notes(plan)
    yield totals(plan)


def meaning(change: Change) -> str:
    """What a change comes to, in words."""
    if change.action is Action.ARCHIVE:
        return "archived, its document is gone"
    if change.kind == "FeatureSet":
        return {
            Action.CREATE: "new, version 1",
            Action.RESTORE: "in use again",
            Action.UPDATE: f"version {change.held} stays, its values are the same"
            if UPKEEP in change.parts
            else f"version {change.held + 1} follows {change.held}",
        }[change.action]
    if change.action is Action.CREATE:
        return "new, will be trained"
    start = "in use again" if change.action is Action.RESTORE else f"revision {change.held + 1}"
    changed = f" ({', '.join(change.parts)})" if change.parts else ""
    because = f", with {', '.join(change.because)} changed" if change.because else ""
    return f"{start}{changed}{because}, {'will be trained' if change.run else 'no training'}"


def totals(plan: Plan) -> str:
    """The last line of a plan: how much changes."""
    if not plan.has_changes:
        return "No changes."
    counts = {action: sum(change.action is action for change in plan.changes) for action in Action}
    told = [f"{count} to {action.value}" for action, count in counts.items() if count]
    return f"Plan: {', '.join(told)}; {counted(sum(change.run for change in plan.changes), 'run')}."


def _notes(plan: Plan) -> Iterator[str]:
    for name, sets in plan.outdated.items():
        yield f"Outdated: {name} was trained before {', '.join(sets)} changed; select it to train it."
    for name in plan.unset:
        yield f"Not compared: what needs {name}, which is not set."


def _escaped(text: str) -> str:
    return text.replace("`", "'")
