"""`modelyard registry`: care for what the registry is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.cli.stores import stores

if TYPE_CHECKING:
    from modelyard.registry.backup import Backup
    from modelyard.registry.export import Export
    from modelyard.registry.sweep import Removal

app = typer.Typer()
_registry = typer.Typer(
    help="Care for a registry: backup, restore, export, import, sweep, check, create-table.", no_args_is_help=True
)
app.add_typer(_registry, name="registry")


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
    from modelyard.registry.export import export_registry

    with stores() as opened, progress("Exporting"):
        made = export_registry(opened, to.absolute())
    _print_export("Exported to", to, made, as_json=as_json)


@_registry.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="The file that an export made.")], as_json: AsJson = False
) -> None:
    """Fill an empty registry from an export, wherever that was made; where it died, the same again goes on."""
    from modelyard.registry.export import import_registry

    with stores() as opened, progress("Importing"):
        made = import_registry(opened, source)
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
    from modelyard.registry.sweep import Removal, Retention, Sweep
    from modelyard.workspace import open_workspace

    workspace, now = open_workspace(needs_project=False), datetime.now(UTC)
    retention = Retention(timedelta(hours=claims), timedelta(days=versions), timedelta(days=runs))
    with stores() as opened, progress("Sweeping"):
        opened.metadata.require()
        pass_ = Sweep(
            opened.metadata,
            opened.artifacts,
            now=now,
            actor=workspace.settings.actor,
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
    from modelyard.errors import IntegrityError
    from modelyard.registry.integrity import damages

    with stores() as opened, progress("Reading"):
        opened.metadata.require()
        found = [*opened.metadata.check(), *damages(opened.metadata, opened.artifacts)]
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


def _home() -> Path:
    from modelyard.wiring import registry_home
    from modelyard.workspace import open_workspace

    return registry_home(open_workspace(needs_project=False).settings.registry).path


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
