"""`modelyard audit`: who did what, and whether the log that says so is what was recorded."""

from __future__ import annotations

import heapq
import json
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.formats import local_time, words
from modelyard.cli.output import AsJson, print_json, print_table, progress
from modelyard.cli.stores import stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.audit import Breach
    from modelyard.registry.chains import Head
    from modelyard.registry.records import Event
    from modelyard.registry.registry import Registry

app = typer.Typer()
_audit = typer.Typer(help="Who changed what, and whether the log of it is whole.", no_args_is_help=True)
app.add_typer(_audit, name="audit")


@_audit.command("list")
def list_events(
    subject: Annotated[
        str | None, typer.Argument(help="model:NAME, feature_set:NAME or run:ID; everything unless said.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most events, counted from the newest.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List who did what, and when; the oldest first."""
    from modelyard.workspace import open_workspace

    registry = open_workspace(needs_project=False).registry
    with progress("Reading events"):
        events = _of_all(registry, limit) if subject is None else _of_subject(registry, subject, limit)
    if as_json:
        print_json(events)
        return
    rows = [(local_time(event.at), event.by, event.type, event.subject, words(event.details)) for event in events]
    print_table("Events", ("when", "who", "what", "of", "details"), rows)


@_audit.command("verify")
def verify(
    before: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="What --json said before, kept elsewhere: it has to be true still."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Work out the hash of every event anew, and say where the first one is that is not as recorded.

    To be run where the registry's stores are, by whoever cares for them.
    """
    from modelyard.errors import IntegrityError
    from modelyard.registry.audit import verify as verify_chains

    with stores() as opened:
        opened.metadata.require()
        reports = []
        with progress("Verifying events") as advance:
            for report in verify_chains(opened.metadata, [] if before is None else _heads(before)):
                reports.append(report)
                advance(sum(one.events for one in reports))
    if as_json:
        print_json(reports)
    breaches = [_told(report.chain, report.breach) for report in reports if report.breach is not None]
    if breaches:
        reason = "the audit log is not as it was recorded: " + "; ".join(breaches)
        raise IntegrityError(reason, "look at who can write to the store, and compare with a backup")
    if not as_json:
        events = sum(report.events for report in reports)
        typer.echo(f"{events:,} events: all as recorded.")


def _heads(file: Path) -> list[Head]:
    """The ends of chains, as a verification said them."""
    from modelyard.errors import UsageError
    from modelyard.registry.chains import Head

    try:
        said = json.loads(file.read_bytes())
        return [Head(str(one["chain"]), int(one["events"]), str(one["head"])) for one in said if one["breach"] is None]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"`{file}` holds nothing that `modelyard audit verify --json` said"
        raise UsageError(reason, "keep what it writes, as it is") from error


def _told(chain: str, breach: Breach) -> str:
    when = f", {local_time(breach.at)}" if breach.at else ""
    of = f" ({breach.subject}{when})" if breach.subject else ""
    return f"chain {chain}, event {breach.position}{of}: {breach.problem}"


def _of_subject(registry: Registry, subject: str, limit: int) -> list[Event]:
    from itertools import islice

    from modelyard.registry.pages import every

    newest = islice(every(lambda page: registry.history(subject, page=page, limit=min(limit, 1000))), limit)
    return list(newest)[::-1]


def _of_all(registry: Registry, limit: int) -> list[Event]:
    # The change cursor leads forwards alone, and between subjects its order is not that of time.
    return heapq.nlargest(limit, _changes(registry), key=lambda event: event.at)[::-1]


def _changes(registry: Registry) -> Iterator[Event]:
    page = registry.changes(limit=1000)
    while page.items:
        yield from page.items
        page = registry.changes(after=page.next, limit=1000)
