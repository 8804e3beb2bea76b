"""Waiting for runs, and what is said of them when they have ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import typer

from modelyard.cli.formats import metrics_text
from modelyard.cli.output import note, print_table, progress
from modelyard.errors import InvalidData, ModelyardError, Unavailable
from modelyard.registry.records import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from modelyard.workspace import Workspace

INTERVAL = 1.0
"""Seconds between two looks at runs that a cluster's controller runs."""
LOOKUPS = 100
"""Runs that are looked at one by one between two pauses."""
PATIENCE = 120.0
"""Seconds for which the registry may not answer; the runs go on without it."""


def wait_for(workspace: Workspace, ids: Collection[str]) -> list[Run]:
    """Wait until some runs have ended: on this machine by driving the loop, else for the cluster's controller.

    Args:
        workspace: The project and its back-ends.
        ids: The runs.

    Returns:
        The runs, ended, by id.
    """
    ended = 0
    remarks: set[str] = set()
    with progress("runs", len(ids)) as advance:

        def tell(run: Run) -> None:
            nonlocal ended
            note(f"{run.id}: {run.state.value.lower()}{f', {run.reason}' if run.reason else ''}")
            for remark in run.remarks:
                if remark not in remarks:  # models of one training set have the same ones
                    note(remark)
                    remarks.add(remark)
            ended += run.state.terminal
            advance(ended)

        try:
            done = _drive(workspace, ids, tell) if workspace.runs_here else _await(workspace, ids, tell)
        except KeyboardInterrupt:
            if workspace.runs_here:
                note("Jobs that have begun go on: `runs reconcile` takes over, and `runs cancel RUN` ends one.")
            else:
                note("The runs go on in the cluster: `runs --watch` shows them, and `runs cancel RUN` ends one.")
            raise
    return [done[run_id] for run_id in sorted(done)]


def _drive(workspace: Workspace, ids: Collection[str], tell: Callable[[Run], None]) -> dict[str, Run]:
    from modelyard.training.reconcile import Reconciler

    reconciler = Reconciler(workspace.registry, workspace.launcher, workspace.datasets, workspace.settings)
    return reconciler.run_until_done(ids, tell)


def _await(workspace: Workspace, ids: Collection[str], tell: Callable[[Run], None]) -> dict[str, Run]:
    """Look at runs that others run; a registry that does not answer for a while is waited for, too."""
    waiting, known, done = list(ids), dict[str, int](), dict[str, Run]()
    answered = time.monotonic()
    while waiting:
        # As many as a look may cost; the others come to their turn.
        for run_id in waiting[:LOOKUPS]:
            try:
                run = workspace.registry.run(run_id)
            except Unavailable:
                if time.monotonic() - answered > PATIENCE:
                    raise
                break
            answered = time.monotonic()
            if known.get(run_id) != run.sequence:
                known[run_id] = run.sequence
                tell(run)
            if run.state.terminal:
                done[run_id] = run
        waiting = [run_id for run_id in (*waiting[LOOKUPS:], *waiting[:LOOKUPS]) if run_id not in done]
        if waiting:
            time.sleep(INTERVAL)
    return done


def print_runs(runs: Sequence[Run]) -> None:
    """Print ended runs with what they made."""
    rows = [(run.id, run.state.value, run.version, metrics_text(run.metrics), run.reason) for run in runs]
    print_table("Runs", ("run", "state", "version", "metrics (95 % interval)", "reason"), rows)


def fail_with_runs(runs: Sequence[Run]) -> None:
    """End the command with the exit code that the runs call for.

    Raises:
        typer.Exit: A run did not succeed: 65 where one failed for good, else 1.
    """
    failed = [run for run in runs if run.version is None]
    if failed:
        exit_failed(permanent=any(run.permanent for run in failed))


def exit_failed(*, permanent: bool) -> NoReturn:
    """End the command because what it did has failed.

    Args:
        permanent: Whether it fails again unless something is mended.
    """
    raise typer.Exit(InvalidData.exit_code if permanent else ModelyardError.exit_code)
