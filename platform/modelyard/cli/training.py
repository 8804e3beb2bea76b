"""`modelyard train` and `modelyard runs`: models trained, and what became of it."""

from __future__ import annotations

import time
from datetime import date, datetime  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.formats import DAY, local_time, metrics_text
from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.registry.records import Outcome, Run
    from modelyard.workspace import Workspace

app = typer.Typer()
runs = typer.Typer(help="List training runs; look at one, end one, or run them here.")
app.add_typer(runs, name="runs")

REFRESH = 0.5  # seconds between two looks at what runs
OVERLAP = 500  # bytes by which a log that lost its beginning is found again
NEWEST = 50  # runs in a list: what one person started lately

RunId = Annotated[str, typer.Argument(help="The run, as `modelyard runs` lists it.", metavar="RUN")]


@app.command()
def train(
    models: Annotated[list[str] | None, typer.Argument(help="The models; all of the project unless said.")] = None,
    as_of: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="With what was known at this day's start; today unless said.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Make a new version even of what was trained before.")] = False,
    sample: Annotated[
        float | None, typer.Option(min=0.0001, max=1, help="Try on this part of the rows; nothing is registered.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Try another value of a field; nothing is registered."),
    ] = None,
    no_register: Annotated[bool, typer.Option("--no-register", help="Try; nothing is registered.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train models, and register what meets its gates; or try them, and register nothing."""
    from modelyard.workspace import open_workspace

    workspace = open_workspace()
    names = models or sorted(workspace.project.models)
    day = as_of.date() if as_of else None
    if sample is not None or set_ or no_register:
        _try(workspace, names, day, sample, set_ or [], as_json=as_json)
    else:
        _train(workspace, names, day, again=again, as_json=as_json)


def _train(workspace: Workspace, names: Sequence[str], day: date | None, *, again: bool, as_json: bool) -> None:
    from modelyard.cli.waiting import fail_with_runs, wait_for
    from modelyard.train import order_run

    ordered = [order_run(workspace, name, day=day, again=again) for name in names]
    for one in ordered:
        if one.applied:
            note(f"{one.run.model}: applied, as the registry held another definition or none")
        if one.run.state.terminal:
            note(f"{one.run.model}: trained before, by run {one.run.id}; --again makes a new version")
    open_ids = [one.run.id for one in ordered if not one.run.state.terminal]
    ended = {run.id: run for run in (wait_for(workspace, open_ids) if open_ids else [])}
    done = [ended.get(one.run.id, one.run) for one in ordered]
    if as_json:
        print_json(done)
    else:
        rows = [(run.model, run.version, metrics_text(run.metrics, "\n"), _ending(run)) for run in done]
        print_table("Trained", ("model", "version", "metrics (95 % interval)", "reason"), rows)
    fail_with_runs(done)


def _try(
    workspace: Workspace,
    names: Sequence[str],
    day: date | None,
    sample: float | None,
    settings: Sequence[str],
    *,
    as_json: bool,
) -> None:
    from modelyard.cli.waiting import exit_failed
    from modelyard.train import try_out

    outcomes: dict[str, Outcome] = {}
    with progress("Trying", len(names)) as show:
        for index, name in enumerate(names):

            def tell(_what: str, part: float, done: int = index) -> None:
                show(done + part)

            outcomes[name] = try_out(workspace, name, day=day, sample=sample, settings=settings, tell=tell)
    if as_json:
        print_json(outcomes)
    else:
        rows = [(name, metrics_text(one.metrics, "\n"), one.reason) for name, one in outcomes.items()]
        print_table("Tried, not registered", ("model", "metrics (95 % interval)", "reason"), rows)
    failed = [one for one in outcomes.values() if not one.metrics]
    if failed:
        exit_failed(permanent=any(one.permanent for one in failed))


@runs.callback(invoke_without_command=True)
def list_runs(
    command: typer.Context,
    model: Annotated[str | None, typer.Option(help="Runs of this model only.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until every run has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest training runs."""
    if command.invoked_subcommand is not None:
        return
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    if as_json:
        print_json(_newest(workspace, model))
    elif watch:
        _watch(workspace, model)
    else:
        _print_runs(_newest(workspace, model))


def _newest(workspace: Workspace, model: str | None) -> Sequence[Run]:
    return workspace.registry.runs(model=model, limit=NEWEST).items


def _watch(workspace: Workspace, model: str | None) -> None:
    from rich.console import Console

    shown = ""
    while True:
        found = _newest(workspace, model)
        states = " ".join(f"{run.id}:{run.sequence}" for run in found)
        if states != shown:
            Console().clear()
            _print_runs(found)
            shown = states
        if all(run.state.terminal for run in found):
            return
        time.sleep(REFRESH)


def _print_runs(found: Iterable[Run]) -> None:
    rows = [
        (run.id, run.state.value, run.version, run.tries, local_time(run.created_at), _ending(run)) for run in found
    ]
    print_table("Runs", ("run", "state", "version", "tries", "queued", "reason"), rows)


@runs.command("show")
def show_run(run_id: RunId, as_json: AsJson = False) -> None:
    """Show what is known of a run."""
    from modelyard.workspace import open_workspace

    registry = open_workspace(needs_project=False).registry
    run = registry.run(run_id)
    told = registry.run_progress(run_id)
    if as_json:
        print_json({**run.model_dump(mode="json"), "progress": told and told.model_dump(mode="json")})
        return
    does = told is not None and told.tries == run.tries and not run.state.terminal
    facts: dict[str, Any] = {
        "run": run.id,
        "model": run.model,
        "state": run.state.value,
        "why": run.reason,
        "does": f"{told.part:.0%} {told.doing}" if told is not None and does else None,
        "version": run.version,
        "tries": run.tries,
        "as of": run.spec.get("as_of"),
        "queued": f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC by {run.created_by}",
        "started": run.started_at and f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC",
        "ended": run.finished_at and f"{run.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        "metrics": metrics_text(run.metrics, "\n"),
        "remarks": "\n".join(run.remarks),
    }
    print_table("Run", ("", ""), [(name, value) for name, value in facts.items() if value not in (None, "")])


@runs.command("logs")
def print_log(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a run's job has printed."""
    from modelyard.training.logs import read_log
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    printed = b""
    while True:
        run = workspace.registry.run(run_id)
        log = read_log(run, workspace.registry, workspace.launcher if workspace.runs_here else None)
        if as_json:
            print_json({"run": run_id, "log": log.decode(errors="replace")})
            return
        typer.echo(_what_is_new(log, printed).decode(errors="replace"), nl=False)
        printed = log or printed
        if run.state.terminal or not follow:
            return
        time.sleep(REFRESH)


def _what_is_new(log: bytes, printed: bytes) -> bytes:
    """What was added to a log, of which the beginning may have been left out since, or which is another job's."""
    if not printed or log.startswith(printed):
        return log[len(printed) :]
    last = printed[-OVERLAP:]
    found = log.rfind(last)
    return log[found + len(last) :] if found >= 0 else log


@runs.command("cancel")
def cancel_run(run_id: RunId, as_json: AsJson = False) -> None:
    """Ask for a run to end; whoever reconciles the runs ends it."""
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    run = workspace.registry.cancel_run(run_id)
    if as_json:
        print_json(run)
    elif run.cancel_requested and not run.state.terminal:
        who = "the command that waits for it, or `runs reconcile`," if workspace.runs_here else "the controller"
        note(f"{run.id} is {run.state.value.lower()}; {who} ends it.")
    else:
        note(f"{run.id} is {run.state.value.lower()}.")


@runs.command("reconcile")
def reconcile(as_json: AsJson = False) -> None:
    """Run what is queued, on this machine, until nothing is left."""
    from modelyard.cli.waiting import fail_with_runs, print_runs, wait_for
    from modelyard.registry.pages import every
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    if not workspace.runs_here:
        reason = "runs are the cluster's to run: MODELYARD_LAUNCHER is `kubernetes`"
        raise UsageError(reason, "`modelyard runs --watch` shows them; the cluster's controller runs them")
    ended: list[Run] = []
    while waiting := [run.id for run in every(lambda page: workspace.registry.open_runs(page=page))]:
        ended += wait_for(workspace, waiting)
    if as_json:
        print_json(ended)
    elif ended:
        print_runs(ended)
    else:
        note("Nothing is queued.")
    fail_with_runs(ended)


def _ending(run: Run) -> str:
    return run.reason if run.reason or run.state.value != "QUEUED" else "waits for those before it"
