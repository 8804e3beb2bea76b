"""`modelyard score`: a day's predictions, by the same steps as the DAG's."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from modelyard.cli.formats import DAY
from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.errors import ModelyardError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from modelyard.scoring.batch import ScoreResult, Target
    from modelyard.workspace import Workspace

app = typer.Typer()

LATEST: Final = "latest"


@app.command()
def score(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="The models; all of the project that score and are live unless said.", metavar="MODEL..."),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=[DAY], help="The partition; today in the model's timezone unless said."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="A version's number, or `latest`; the one that is live as the day begins unless said."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a day: compute what is missing of the features, predict for the population, audit, publish."""
    from modelyard.score import score_target
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=not models)
    targets, failures = _targets(workspace, models, as_of.date() if as_of else None, version)
    results: list[tuple[Target, ScoreResult]] = []
    with progress("Scoring", len(targets)) as show:
        for number, target in enumerate(targets):
            try:
                results.append((target, score_target(workspace, target, _part_of(number, show))))
            except ModelyardError as error:
                failures.append(error)
                note(f"error: {target.version.model}: {error}")
    _print(results, as_json=as_json)
    if failures:
        raise typer.Exit(failures[0].exit_code)


def _targets(
    workspace: Workspace, models: Sequence[str] | None, day: date | None, version: str | None
) -> tuple[list[Target], list[ModelyardError]]:
    """What is to be scored, and why a model that was named can't be."""
    from modelyard.score import target_of
    from modelyard.scoring.daily import scheduled_models

    wanted = _number(version)
    found: list[Target] = []
    failures: list[ModelyardError] = []
    for name in models or [record.name for record in scheduled_models(workspace.registry, workspace.project.name)]:
        try:
            number = workspace.registry.latest(name).number if wanted == LATEST else wanted
            found.append(target_of(workspace, name, day, number))
        except ModelyardError as error:
            # Among all models, one without a version is no failure; a model that was asked for by name is.
            left_out = models is None and isinstance(error, NotFound)
            note(f"left out: {name}: {error}" if left_out else f"error: {error}")
            failures += [] if left_out else [error]
    return found, failures


def _number(version: str | None) -> int | Literal["latest"] | None:
    if version is None:
        return None
    if version == LATEST:
        return LATEST
    if not version.isdecimal():
        reason = f"`{version}` is no version"
        raise UsageError(reason, f"say a number, such as 7, or {LATEST}")
    return int(version)


def _part_of(done: int, show: Callable[[float], None]) -> Callable[[int, int], None]:
    """Shows the rows of one model as a part of it."""
    return lambda rows, total: show(done + rows / max(total, 1))


def _print(results: Sequence[tuple[Target, ScoreResult]], *, as_json: bool) -> None:
    content = [_content(target, result) for target, result in results]
    if as_json:
        print_json(content)
    if as_json or not content:
        return
    rows = [
        (
            one["model"],
            one["version"],
            one["partition"],
            f"{one['rows']:,}",
            "" if one["mean"] is None else f"{one['mean']:.4g}",
            "there already" if one["existed"] else "new",
            one["dataset"],
        )
        for one in content
    ]
    print_table("Predictions", ("model", "version", "partition", "rows", "mean", "state", "dataset"), rows)


def _content(target: Target, result: ScoreResult) -> dict[str, Any]:
    return {
        "model": target.version.model,
        "version": target.version.number,
        "partition": result.manifest.partition,
        "rows": result.manifest.rows,
        "mean": result.manifest.details["audit"]["mean"],
        "existed": result.existed,
        "dataset": target.dataset,
        "files": list(result.files),
    }
