"""`modelyard poll`, `dags` and `hand-over`: from live versions to the DAGs that score with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.formats import local_time
from modelyard.cli.output import AsJson, note, print_json, print_table, progress

if TYPE_CHECKING:
    from modelyard.orchestration.listing import Listing
    from modelyard.orchestration.poll import PollResult

app = typer.Typer()

Folder = Annotated[
    Path | None,
    typer.Option(help="The folder of DAG specs; MODELYARD_SPECS, or `specs` in the state folder, unless said."),
]


@app.command()
def poll(
    folder: Folder = None,
    full: Annotated[bool, typer.Option("--full", help="Look at every model, not only at those that changed.")] = False,
    watch: Annotated[int | None, typer.Option(min=1, help="Poll again and again, this many seconds apart.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the DAG specs in line with what the registry says is live."""
    import signal
    import sys
    import time

    from modelyard.errors import StorageFull, Unavailable

    if watch is None:
        _print_poll(_poll_once(folder, full=full), as_json=as_json)
        return
    # The first process of a container is not ended by a signal that it does not take. Killed anywhere, a poll leaves
    # whole files, and the next one goes on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        try:
            result = _poll_once(folder, full=full)
            if result.written or result.removed:
                _print_poll(result, as_json=as_json)
        except (StorageFull, Unavailable) as error:
            note(f"The specs stay as they are: {error}")
        time.sleep(watch)


@app.command()
def dags(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the DAGs that Airflow's loader makes, the models without one, and the specs that do not load."""
    from dataclasses import asdict

    from modelyard.orchestration.listing import list_dags
    from modelyard.workspace import open_workspace

    listing = list_dags(folder or open_workspace(needs_project=False).settings.specs, datetime.now(UTC))
    if as_json:
        problems = [{"reason": problem.reason, "hint": problem.hint} for problem in listing.problems]
        print_json({**asdict(listing), "problems": problems})
    else:
        _print_listing(listing)
    if listing.problems:
        raise typer.Exit(listing.problems[0].exit_code)


@app.command("hand-over")
def hand_over(
    model: Annotated[str, typer.Argument(help="The model.")],
    version: Annotated[int, typer.Option(help="The version that took over.", min=1)],
    as_json: AsJson = False,
) -> None:
    """Archive the versions that were live before one, once that one has published predictions of its own days."""
    from modelyard.orchestration import handover
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    result = handover.hand_over(workspace.registry, workspace.datasets, model, version)
    if as_json:
        print_json(result)
    elif result.waiting:
        typer.echo(f"{model}: no hand-over yet: {result.waiting}")
    elif result.archived:
        typer.echo(f"{model}: archived {_versions(result.archived)}: version {version} took over")
    else:
        typer.echo(f"{model}: no version before {version} is left to archive")


def _poll_once(folder: Path | None, *, full: bool) -> PollResult:
    from modelyard.orchestration import poll as polling
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=False)
    with progress("Looking at models") as advance:
        return polling.poll(workspace.registry, folder or workspace.settings.specs, full=full, advance=advance)


def _print_poll(result: PollResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    for model in result.written:
        typer.echo(f"written  {model}")
    for model in result.removed:
        typer.echo(f"removed  {model}")
    typer.echo(f"{len(result.written)} written, {len(result.removed)} removed, {result.unchanged} unchanged")


def _print_listing(listing: Listing) -> None:
    rows = [
        (
            dag.dag,
            dag.schedule,
            dag.timezone,
            local_time(dag.start, dag.timezone),
            dag.live,
            dag.next and f"{dag.next} from {local_time(dag.next_from, dag.timezone)}",
        )
        for dag in listing.dags
    ]
    print_table("DAGs", ("DAG", "schedule", "timezone", "since", "live", "next"), rows)
    if listing.without:
        print_table("Models without a DAG", ("model", "because it"), list(listing.without.items()))
    if listing.polled_at:
        note(f"As of {listing.polled_at.isoformat(timespec='seconds')}")
    for problem in listing.problems:
        typer.echo(f"error: {problem}", err=True)


def _versions(numbers: tuple[int, ...]) -> str:
    return f"version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
