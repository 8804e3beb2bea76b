"""`modelyard apply`: do what the plan says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.output import AsJson, note, print_json

if TYPE_CHECKING:
    from modelyard.config.plan import Plan
    from modelyard.workspace import Workspace

app = typer.Typer()


@app.command()
def apply(
    path: Annotated[
        Path | None,
        typer.Argument(help="A saved plan, or a folder or file of the project, which narrows what is applied."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the runs; here, run them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the registry in line with the project: the plan is shown, then done. Training runs are queued."""
    from modelyard.apply import apply_plan, plan_changes
    from modelyard.cli.waiting import fail_with_runs, print_runs, wait_for
    from modelyard.config.plan_report import render_plan
    from modelyard.workspace import open_workspace

    saved = path if path is not None and path.suffix == ".json" else None
    workspace = open_workspace(None if saved else path)
    plan = _saved_plan(workspace, saved) if saved else plan_changes(workspace, workspace.project.narrowed_to(path))
    if not as_json:
        typer.echo(render_plan(plan))
    applied = apply_plan(workspace, plan)
    # Runs that an apply before this one queued are this one's to finish.
    waiting = sorted({run.id for run in applied.runs} | _open_runs(workspace)) if wait else []
    ended = wait_for(workspace, waiting) if waiting else []
    if as_json:
        print_json({"plan": plan.content(), "runs": ended or applied.runs})
    elif ended:
        print_runs(ended)
    elif applied.runs:
        command = "runs reconcile` runs them here" if workspace.runs_here else "runs --watch` shows them"
        note(f"Queued {len(applied.runs)} runs; `modelyard {command}.")
    elif not plan.has_changes:
        note("Nothing to do: the registry holds what the project says.")
    fail_with_runs(ended)


def _saved_plan(workspace: Workspace, file: Path) -> Plan:
    from modelyard.apply import plan_changes
    from modelyard.config.plan_file import SavedPlan

    saved = SavedPlan(file)
    plan = plan_changes(workspace, saved.only)
    saved.refuse_stale(plan)
    return plan


def _open_runs(workspace: Workspace) -> set[str]:
    from modelyard.registry.pages import every

    return {
        run.id
        for run in every(lambda page: workspace.registry.open_runs(page=page))
        if run.project == workspace.project.name
    }
