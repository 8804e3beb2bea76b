"""What is registered: `modelyard models`, `promote`, `rollback`, `archive`, `lineage`; and care for the registry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.formats import local_time, metrics_text
from modelyard.cli.output import AsJson, note, print_json, print_table, progress

if TYPE_CHECKING:
    from modelyard.registry.backup import Backup
    from modelyard.registry.export import Export
    from modelyard.registry.lineage import AffectedModel, VersionLineage
    from modelyard.registry.overview import ModelDetails, ModelSummary
    from modelyard.registry.records import ModelRecord, ModelVersion, Promotion
    from modelyard.registry.registry import Registry
    from modelyard.registry.stores import RegistryStores
    from modelyard.registry.sweep import Removal

app = typer.Typer()
_registry = typer.Typer(
    help="Care for a registry on this machine: backup, restore, sweep, check.", no_args_is_help=True
)
app.add_typer(_registry, name="registry")

Model = Annotated[str, typer.Argument(help="The model's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


def _open() -> Registry:
    from modelyard.workspace import open_workspace

    return open_workspace(needs_project=False).registry


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A model, to see its versions, promotions and history.")] = None,
    at: Annotated[str | None, typer.Option(help="What was live then: a date, or an instant; now unless said.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models with what is live, planned and newest; or show one of them."""
    from modelyard.registry.overview import details, summaries

    if name is not None:
        shown = details(_open(), name, at)
        print_json(shown) if as_json else _print_details(shown)
        return
    listed = list(summaries(_open(), at))
    if as_json:
        print_json(listed)
        return
    columns = ("model", "team", "live", "since", "planned", "latest", "metric")
    print_table("Models", columns, [_summary_row(summary) for summary in listed])


@app.command()
def promote(
    model: Model,
    version: Annotated[int | None, typer.Argument(help="The version's number; the latest unless said.")] = None,
    live_from: Annotated[
        str | None, typer.Option(help="From when on: a date, or an instant; the model's next midnight unless said.")
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make a version live: from the next midnight in the model's timezone on, unless said."""
    from modelyard.registry.overview import moment

    registry = _open()
    timezone = registry.model(model).timezone
    number = registry.latest(model).number if version is None else version
    start = None if live_from is None else moment(live_from, timezone)
    _print_fact(registry.promote(model, number, live_from=start, reason=reason), timezone, as_json=as_json)


@app.command()
def rollback(
    model: Model,
    to: Annotated[
        int | None, typer.Option(help="The version's number; the one that was live before unless said.")
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make the version that was live before live again, from now on; what was planned does not happen."""
    registry = _open()
    timezone = registry.model(model).timezone
    _print_fact(registry.rollback(model, to=to, reason=reason), timezone, as_json=as_json)


@app.command()
def archive(
    model: Model,
    version: Annotated[int | None, typer.Argument(help="A version; the model with all of them unless said.")] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Take a model, or one version of it, out of use."""
    registry = _open()
    if version is None:
        record = registry.archive_model(model, reason=reason)
        print_json(record) if as_json else typer.echo(f"{model} is archived: nothing of it is live.")
        return
    archived = registry.archive_version(model, version, reason=reason)
    print_json(archived) if as_json else typer.echo(f"Version {version} of {model} is {archived.state}.")


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="A model, a feature set, or a column of a source as SOURCE.COLUMN.")],
    as_json: AsJson = False,
) -> None:
    """Show what a model's version was made from, or which models a change would reach."""
    from modelyard.registry.lineage import affected_models, subject_of, version_lineage

    registry = _open()
    source, dot, column = name.partition(".")
    subject = f"source:{source}" if dot else subject_of(registry, name)
    if subject.startswith("model:"):
        version = registry.live(name, datetime.now(UTC)) or registry.latest(name)
        made_from = version_lineage(registry, name, version.number)
        print_json(made_from) if as_json else _print_lineage(made_from)
        return
    affected = affected_models(registry, subject, column or None)
    print_json(affected) if as_json else _print_affected(name, affected)


@_registry.command("backup")
def backup(
    to: Annotated[Path, typer.Argument(help="The folder to make, or the zip, where the name ends in .zip.")],
    as_json: AsJson = False,
) -> None:
    """Back the registry up, while others go on working; all but logs of runs is verified."""
    from modelyard.registry.backup import back_up

    with progress("Backing up"):
        made = back_up(_home(), to.absolute())
    _print_backup("Backed up to", to, made, as_json=as_json)


@_registry.command("restore")
def restore(
    source: Annotated[Path, typer.Argument(help="The folder or zip that a backup made.")], as_json: AsJson = False
) -> None:
    """Put a backup where no registry is yet; all but logs of runs is verified."""
    from modelyard.registry.backup import restore as restore_backup

    with progress("Restoring"):
        made = restore_backup(source, _home())
    _print_backup("Restored", source, made, as_json=as_json)


@_registry.command("export")
def export(
    to: Annotated[Path, typer.Argument(help="The file to make.")],
    as_json: AsJson = False,
) -> None:
    """Write everything that the registry holds into one file, to be imported elsewhere; nobody may write meanwhile."""
    from contextlib import closing

    from modelyard.registry.export import export_registry

    with closing(_stores()) as stores, progress("Exporting"):
        made = export_registry(stores, to.absolute())
    _print_export("Exported to", to, made, as_json=as_json)


@_registry.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="The file that an export made.")], as_json: AsJson = False
) -> None:
    """Fill an empty registry from an export, wherever that was made; where it died, the same again goes on."""
    from contextlib import closing

    from modelyard.registry.export import import_registry

    with closing(_stores()) as stores, progress("Importing"):
        made = import_registry(stores, source)
    _print_export("Imported", source, made, as_json=as_json)


@_registry.command("sweep")
def sweep(
    yes: Annotated[bool, typer.Option("--yes", help="Remove, instead of saying what would be removed.")] = False,
    claims: Annotated[
        int,
        typer.Option(
            min=1, max=876_000, help="Hours that uncompleted claims, lost files and replaced partitions stay."
        ),
    ] = 24,
    versions: Annotated[
        int, typer.Option(min=1, max=36_500, help="Days that the files of an archived version stay.")
    ] = 90,
    runs: Annotated[int, typer.Option(min=1, max=36_500, help="Days that an ended run and its log stay.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Remove what nobody needs any more: expired claims, old archived versions, old runs, lost and replaced files."""
    from contextlib import closing

    from modelyard.registry.sweep import Removal, Retention, Sweep
    from modelyard.wiring import registry_stores
    from modelyard.workspace import open_workspace

    workspace, now = open_workspace(needs_project=False), datetime.now(UTC)
    settings = workspace.settings
    retention = Retention(timedelta(hours=claims), timedelta(days=versions), timedelta(days=runs))
    with closing(registry_stores(settings.registry)) as stores, progress("Sweeping"):
        stores.metadata.require()
        pass_ = Sweep(
            stores.metadata,
            stores.artifacts,
            now=now,
            actor=settings.actor,
            retention=retention,
            dry_run=not yes,
        )
        removals = pass_.run()
        datasets = workspace.datasets.sweep(older_than=now - retention.claims, dry_run=not yes)
        removals += [Removal("dataset", name, size) for name, size in datasets.items()]
    _print_removals(removals, removed=yes, as_json=as_json)


@_registry.command("check")
def check(as_json: AsJson = False) -> None:
    """Read all that the registry holds but logs of runs, and say what is not as recorded."""
    from contextlib import closing

    from modelyard.errors import IntegrityError
    from modelyard.registry.integrity import damages

    with closing(_stores()) as stores, progress("Reading"):
        stores.metadata.require()
        found = [*stores.metadata.check(), *damages(stores.metadata, stores.artifacts)]
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("Everything is as recorded.")
    if found:
        reason = "; ".join(found)
        raise IntegrityError(reason, "look at the disk; what is damaged can be restored from a backup")


@_registry.command("create-table")
def create_table(
    name: Annotated[str, typer.Argument(help="The table's name, as in dynamodb+s3://TABLE/BUCKET.")],
    as_json: AsJson = False,
) -> None:
    """Make the DynamoDB table of a registry, if it is not there yet."""
    from modelyard.registry.dynamodb.creation import create_table as create

    with progress("Waiting for the table"):
        made = create(name)
    if as_json:
        print_json({"table": name, "made": made})
    else:
        typer.echo(f"Table {name} is made." if made else f"Table {name} is there already.")


def _print_export(verb: str, place: Path, made: Export, *, as_json: bool) -> None:
    if as_json:
        counts = dict(made.entries)
        print_json({"path": str(place), "made_at": made.made_at, "entries": counts, "files": len(made.files)})
        return
    told = f"{made.entries.get('model', 0)} models, {made.entries.get('version', 0)} versions"
    typer.echo(f"{verb} {place}: {told}, {len(made.files)} files of {made.size} bytes, all as recorded.")


def _stores() -> RegistryStores:
    from modelyard.wiring import registry_stores
    from modelyard.workspace import open_workspace

    return registry_stores(open_workspace(needs_project=False).settings.registry)


def _home() -> Path:
    from modelyard.wiring import registry_home
    from modelyard.workspace import open_workspace

    return registry_home(open_workspace(needs_project=False).settings.registry).path


def _summary_row(summary: ModelSummary) -> tuple[object, ...]:
    planned = [
        f"{one.version or 'nothing'} from {local_time(one.live_from, summary.timezone)}" for one in summary.planned
    ]
    return (
        summary.name,
        summary.team,
        "archived" if summary.archived else summary.live,
        local_time(summary.live_since, summary.timezone),
        "\n".join(planned),
        summary.latest,
        metrics_text({summary.metric: summary.estimate} if summary.metric and summary.estimate else {}),
    )


def _print_details(shown: ModelDetails) -> None:
    summary, record = shown.summary, shown.record
    timezone = record.timezone
    typer.echo(f"{record.name}  team {record.team}, project {record.project}, {timezone}, revision {record.revision}")
    typer.echo(f"live: {summary.live or 'none'}   latest: {summary.latest or 'none'}\n")
    versions = [
        (
            version.number,
            version.state,
            local_time(version.created_at, timezone),
            version.created_by,
            version.run,
            _approval(record, version, timezone),
            metrics_text(version.metrics),
        )
        for version in shown.versions
    ]
    print_table("Versions", ("version", "state", "made", "by", "run", "approved", "metrics"), versions)
    typer.echo()
    promotions = [
        (
            fact.sequence,
            fact.kind,
            fact.version,
            local_time(fact.live_from, timezone),
            f"superseded by {fact.superseded_by}" if fact.superseded_by else "",
            fact.recorded_by,
            fact.reason,
        )
        for fact in shown.promotions
    ]
    print_table("Promotions", ("#", "kind", "version", "live from", "", "by", "reason"), promotions)
    typer.echo()
    events = [(local_time(event.at, timezone), event.type, event.by, _words(event.details)) for event in shown.history]
    print_table("History", ("when", "what", "by", "details"), events)


def _approval(record: ModelRecord, version: ModelVersion, timezone: str) -> str:
    from modelyard.registry.approval import awaits_approval

    if version.approved_at is not None:
        return f"by {version.approved_by}, {local_time(version.approved_at, timezone)}"
    return "waits for it" if awaits_approval(record, version) else ""


def _words(content: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in content.items() if value not in ("", None))


def _print_fact(fact: Promotion, timezone: str, *, as_json: bool) -> None:
    if as_json:
        print_json(fact)
    else:
        typer.echo(f"Version {fact.version} of {fact.model} is live from {local_time(fact.live_from, timezone)} on.")


def _print_lineage(lineage: VersionLineage) -> None:
    typer.echo(f"{lineage.model} version {lineage.number}, made by run {lineage.run or '(none)'}")
    for name in ("config", "code", "environment", "training_set"):
        typer.echo(f"  {name}: {getattr(lineage.pins, name)}")
    typer.echo()
    rows = [
        (f"{one.name} version {one.number}", feature, ", ".join(columns))
        for one in lineage.feature_sets
        for feature, columns in one.features.items()
    ]
    print_table("Features", ("feature set", "feature", "comes from"), rows)


def _print_affected(name: str, affected: tuple[AffectedModel, ...]) -> None:
    rows = [
        (model.name, model.team, " → ".join(model.via), "yes" if model.applied else "no", model.live)
        for model in affected
    ]
    print_table(f"A change of {name} reaches", ("model", "team", "via", "as applied", "live version"), rows)


def _print_backup(what: str, path: Path, made: Backup, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{what} {path}: {made.files:,} files, {made.size:,} bytes, as of {made.made_at}.")


def _print_removals(removals: list[Removal], *, removed: bool, as_json: bool) -> None:
    if as_json:
        print_json({"removed": removed, "removals": removals})
        return
    rows = [(removal.kind, removal.name, f"{removal.size:,}") for removal in removals]
    print_table("Removed" if removed else "Would be removed", ("kind", "what", "bytes"), rows)
    if removals and not removed:
        note("Nothing was removed; add --yes to do it.")
