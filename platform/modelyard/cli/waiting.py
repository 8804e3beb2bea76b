"""Waiting for runs, and what is said of them when they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from modelyard.cli.formats import metrics_text
from modelyard.cli.output import note, print_table, progress
from modelyard.errors import InvalidData, ModelyardError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelyard.registry.records import Run
    from modelyard.workspace import Workspace


def wait_for(workspace: Workspace, ids: Collection[str]) -> list[Run]:
    """Drive the reconcile loop until some runs have ended.

    Args:
        workspace: The project and its back-ends.
        ids: The runs.

    Returns:
        The runs, ended, by id.
    """
    from modelyard.training.reconcile import Reconciler

    reconciler = Reconciler(workspace.registry, workspace.launcher, workspace.datasets, workspace.settings)
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
            done = reconciler.run_until_done(ids, tell)
        except KeyboardInterrupt:
            note("Jobs that have begun go on: `runs reconcile` takes over, and `runs cancel RUN` ends one.")
            raise
    return [done[run_id] for run_id in sorted(done)]


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
