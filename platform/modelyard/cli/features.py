"""`modelyard features`: values and training sets made, definitions compiled, sources and partitions checked."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.formats import DAY
from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.errors import InvalidData, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.config.definitions import FeatureSetDefinition
    from modelyard.datasets.expectations import AuditResult
    from modelyard.features.materialise import MaterialiseResult
    from modelyard.registry.records import FeatureSetPin
    from modelyard.workspace import Workspace

app = typer.Typer()
features = typer.Typer(help="Materialise features, build training sets, and look at both.", no_args_is_help=True)
app.add_typer(features, name="features")

MOMENT = "%Y-%m-%dT%H:%M:%S%z"
Out = Annotated[Path | None, typer.Option(help="A Parquet file to copy it to.")]


@features.command()
def materialise(
    sets: Annotated[list[str], typer.Argument(help="The feature sets.", metavar="SET...")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=[DAY, MOMENT], help="Values as of this day's start, or of this moment.")
    ] = None,
    from_: Annotated[datetime | None, typer.Option("--from", formats=[DAY], help="The first day.")] = None,
    to: Annotated[datetime | None, typer.Option(formats=[DAY], help="The last day, included.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="A registered version, of one set.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Compute again what is there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute, audit and publish values of feature sets: those of a day or of a range that are not there yet."""
    from modelyard.features.materialise import materialise as run
    from modelyard.features.materialise import plan_days
    from modelyard.workspace import open_workspace

    workspace = open_workspace(needs_project=version is None)
    definitions, pins = _registered(workspace, sets) if version is None else _version(workspace, sets, version)
    now = datetime.now(UTC)
    days = {one.name: _days(one, as_of, from_, to) for one in definitions}
    plans = [plan_days(one, pins, days[one.name], workspace.datasets, now=now, force=force) for one in definitions]
    results: list[MaterialiseResult] = []
    done = 0
    with progress("Materialising", sum(len(work.missing) for plan in plans for work in plan)) as show:

        def tell(partitions: int) -> None:
            nonlocal done
            done += partitions
            show(done)

        for one in definitions:
            results += run(
                one, pins, days[one.name], engine=workspace.engine, datasets=workspace.datasets, force=force, now=now,
                progress=tell,
            )  # fmt: skip
    _print_results(results, as_json=as_json)


@features.command("training-set")
def training_set(
    model: Annotated[str, typer.Argument(help="The model.")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="As known at this day's start; today unless said.")
    ] = None,
    sample: Annotated[float | None, typer.Option(min=0, max=1, help="The part of the entities to take.")] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Build a model's training set, and say where it lies and what is in it."""
    from modelyard.features.training_set import build_training_set, remarks_on
    from modelyard.train import model_named, run_spec
    from modelyard.workspace import open_workspace

    workspace = open_workspace()
    definition = model_named(workspace, model)
    spec = run_spec(workspace, definition, day=as_of.date() if as_of else None, sample=sample)
    with progress("Building", 1.0) as show:
        manifest = build_training_set(
            spec, registry=workspace.registry, engine=workspace.engine, datasets=workspace.datasets,
            progress=lambda _what, part: show(part),
        )  # fmt: skip
    file = workspace.datasets.files(manifest)[0]
    if out is not None:
        shutil.copyfile(file, out)
    if as_json:
        print_json({**manifest.model_dump(mode="json"), "file": str(out or file)})
        return
    roles, nulls = manifest.details["roles"], manifest.details["null_rates"]
    rows = [(name, kind, f"{nulls[name]:.1%}") for name, kind in roles["features"].items()]
    print_table(f"{model}: {manifest.rows:,} rows", ("feature", "kind", "missing"), rows)
    for remark in remarks_on(manifest):
        note(remark)
    note(f"It lies in {out or file}")


@features.command("compile")
def compile_(
    name: Annotated[str, typer.Argument(help="The feature set.", metavar="SET")], as_json: AsJson = False
) -> None:
    """Print the SQL that computes a feature set as of one instant, $as_of."""
    import sqlglot

    from modelyard.features.compile import compile_set
    from modelyard.features.lineage import lineage_of
    from modelyard.features.sql import DIALECT
    from modelyard.train import feature_set_named
    from modelyard.workspace import open_workspace

    compiled = compile_set(feature_set_named(open_workspace(), name))
    sql = sqlglot.transpile(compiled.statement, read=DIALECT, write=DIALECT, pretty=True)[0]
    if as_json:
        print_json({"feature_set": name, "sql": sql, "lineage": lineage_of(compiled)})
    else:
        typer.echo(sql)


@features.command()
def check(
    sets: Annotated[
        list[str] | None, typer.Argument(help="The feature sets; all unless said.", metavar="SET...")
    ] = None,
    as_of: Annotated[datetime | None, typer.Option(formats=[DAY], help="The day; today unless said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check sources and partitions: their expectations, their bytes, and whether there are as many rows as usual."""
    from modelyard.features.check import check_partitions, check_sources
    from modelyard.local_days import day_start, local_day
    from modelyard.workspace import open_workspace

    workspace = open_workspace()
    definitions, pins = _registered(workspace, sets or list(workspace.project.feature_sets))
    zone = workspace.project.document.defaults.timezone
    day = as_of.date() if as_of else local_day(datetime.now(UTC), zone)
    sources = {name: source for one in definitions for name, source in one.sources.items()}
    findings = [
        *check_sources(sources.values(), workspace.engine, day_start(day, zone)),
        *check_partitions(definitions, pins, workspace.datasets, day),
    ]
    if as_json:
        print_json(findings)
    else:
        rows = [
            (one.place, "ok" if one.ok else "failed", f"{one.rows:,}", _count(one.usual), one.detail)
            for one in findings
        ]
        print_table(f"As of {day}", ("what", "state", "rows", "usually", "remarks"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(InvalidData.exit_code)


def _registered(
    workspace: Workspace, names: Sequence[str]
) -> tuple[list[FeatureSetDefinition], Mapping[str, FeatureSetPin]]:
    """Feature sets of the project, and their versions in the registry."""
    from modelyard.features.registration import register_feature_sets
    from modelyard.train import feature_set_named

    definitions = [feature_set_named(workspace, name) for name in names]
    return definitions, register_feature_sets(definitions, workspace.registry, workspace.project.name)


def _version(
    workspace: Workspace, names: Sequence[str], number: int
) -> tuple[list[FeatureSetDefinition], Mapping[str, FeatureSetPin]]:
    """A version of one feature set as the registry holds it, and what it refers to."""
    from modelyard.features.registration import find_pins, registered_definition

    if len(names) != 1:
        reason = "--version is about one feature set"
        raise UsageError(reason, "name one feature set, or leave --version out")
    definition = registered_definition(workspace.registry, names[0], number)
    return [definition], find_pins([definition], workspace.registry)


def _days(
    definition: FeatureSetDefinition, as_of: datetime | None, first: datetime | None, last: datetime | None
) -> tuple[date, ...]:
    """The days that were asked for; of a single moment, the partition that holds the values as of it."""
    from modelyard.features.partitions import grid_of
    from modelyard.local_days import day_start

    grid = grid_of(definition)
    if as_of is not None and first is None and last is None:
        moment = as_of if as_of.tzinfo else day_start(as_of.date(), definition.timezone)
        return (grid.day(grid.at_or_before(moment)),)
    if as_of is not None or first is None or last is None or last < first:
        reason = "which days is not clear"
        raise UsageError(reason, "say --as-of 2026-07-01, or --from 2026-02-01 --to 2026-07-01")
    return grid.days(first.date(), last.date())


def _print_results(results: Sequence[MaterialiseResult], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json([
            {**asdict(one), "audits": [audit.content() for audit in one.audits]} for one in results
        ])  # fmt: skip
        return
    rows = [
        (one.feature_set, one.version, _range(one.published), _range(one.existing), f"{one.rows:,}") for one in results
    ]
    print_table("Feature sets", ("name", "version", "computed", "there already", "rows"), rows)
    for remark in _remarks(audit for one in results for audit in one.audits):
        note(remark)


def _remarks(audits: Iterable[AuditResult]) -> list[str]:
    """What was unexpected and did not stop the work, each once."""
    said = [f"{one.severity}: {audit.place}: {one.words}" for audit in audits for one in audit.failures()]
    return list(dict.fromkeys(said))


def _range(days: Sequence[date]) -> str:
    if not days:
        return ""
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
