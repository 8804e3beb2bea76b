"""`modelyard score`: a day's predictions, by the same steps as the DAG's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.errors import ModelyardError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.scoring.batch import ScoreResult, Target
    from modelyard.workspace import Workspace

app = typer.Typer()

LATEST = "latest"


@app.command()
def score(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="The models; all of the project that score and are live unless said.", metavar="MODEL..."),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The partition; today in the model's timezone unless said."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="A version's number, or `latest`; the one that is live as the day begins unless said."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a day: compute what is missing of the features, predict for the population, audit, publish."""
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=not models)
    targets, failures = _targets(workspace, models, as_of.date() if as_of else None, version)
    results: list[tuple[Target, ScoreResult]] = []
    with progress("Scoring", len(targets)) as show:
        for number, target in enumerate(targets):
            try:
                results.append((target, _score(workspace, target, _part_of(number, show))))
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
    from modelyard.scoring.daily import scheduled_models

    number = _number(version)
    found: list[Target] = []
    failures: list[ModelyardError] = []
    for name in models or [record.name for record in scheduled_models(workspace.registry, workspace.project.name)]:
        try:
            found.append(_target(workspace, name, day, number))
        except NotFound as error:
            # Among all models, one without a version is no failure; a model that was asked for by name is.
            note(f"{'error' if models else 'left out'}: {name}: {error}")
            failures += [error] if models else []
    return found, failures


def _number(version: str | None) -> int | str | None:
    if version is None or version == LATEST:
        return version
    if not version.isdecimal():
        reason = f"`{version}` is no version"
        raise UsageError(reason, f"say a number, such as 7, or {LATEST}")
    return int(version)


def _target(workspace: Workspace, model: str, day: date | None, version: int | str | None) -> Target:
    from modelyard.local_days import local_day
    from modelyard.scoring.batch import find_target

    registry = workspace.registry
    day = day or local_day(datetime.now(UTC), registry.model(model).timezone)
    number = registry.latest(model).number if version == LATEST else version
    return find_target(registry, model, day, number if isinstance(number, int) else None)


def _score(workspace: Workspace, target: Target, tell: Callable[[int, int], None]) -> ScoreResult:
    import os
    from functools import partial

    from modelyard.scoring.batch import score_partition
    from modelyard.scoring.daily import materialise_missing
    from modelyard.scoring.loading import load_for_batch

    settings = workspace.settings
    materialise_missing(target, workspace.registry, workspace.datasets, workspace.engine)
    load = partial(
        load_for_batch,
        workspace.registry,
        cache=settings.home / "cache",
        threads=os.cpu_count() or 1,
        allow_bundles=settings.allow_bundles,
    )
    return score_partition(target, load, workspace.datasets, workspace.engine, progress=tell)


def _part_of(done: int, show: Callable[[float], None]) -> Callable[[int, int], None]:
    """Shows the rows of one model as a part of it."""
    return lambda rows, total: show(done + rows / max(total, 1))


def _print(results: Sequence[tuple[Target, ScoreResult]], *, as_json: bool) -> None:
    content = [_content(target, result) for target, result in results]
    if as_json:
        print_json(content)
        return
    rows = [
        (
            one["model"],
            one["version"],
            one["partition"],
            f"{one['rows']:,}",
            "" if one["mean"] is None else f"{one['mean']:.4g}",
            "there already" if one["existed"] else "new",
            one["files"][0],
        )
        for one in content
    ]
    print_table("Predictions", ("model", "version", "partition", "rows", "mean", "state", "where"), rows)


def _content(target: Target, result: ScoreResult) -> dict[str, Any]:
    return {
        "model": target.version.model,
        "version": target.version.number,
        "partition": result.manifest.partition,
        "rows": result.manifest.rows,
        "mean": result.manifest.details["audit"]["mean"],
        "existed": result.existed,
        "files": list(result.files),
    }
