"""What is registered, and what is live: `modelyard models`, `approve`, `promote`, `rollback`, `archive`, `lineage`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.formats import local_time, metrics_text, words
from modelyard.cli.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from modelyard.registry.lineage import AffectedModel, VersionLineage
    from modelyard.registry.overview import ModelDetails, ModelSummary
    from modelyard.registry.records import ModelRecord, ModelVersion, Promotion
    from modelyard.registry.registry import Registry

app = typer.Typer()

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
def approve(
    model: Model,
    version: Annotated[int | None, typer.Argument(help="The version's number; the latest unless said.")] = None,
    reason: Annotated[str, typer.Option(help="What was looked at, for the history.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let a version be made live that somebody else made; where its model promotes by itself, it is."""
    registry = _open()
    number = registry.latest(model).number if version is None else version
    approval = registry.approve(model, number, reason=reason)
    if as_json:
        print_json(approval)
        return
    timezone = registry.model(model).timezone
    approved = approval.version
    typer.echo(
        f"Version {number} of {model} is approved by {approved.approved_by}"
        f" since {local_time(approved.approved_at, timezone)}."
    )
    if approval.promotion is not None:
        _print_fact(approval.promotion, timezone)
    elif approval.remark:
        typer.echo(f"But {approval.remark}.")
    else:
        typer.echo(f"`modelyard promote {model} {number}` makes it live.")


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
    fact = registry.promote(model, number, live_from=start, reason=reason)
    print_json(fact) if as_json else _print_fact(fact, timezone)


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
    fact = registry.rollback(model, to=to, reason=reason)
    print_json(fact) if as_json else _print_fact(fact, timezone)


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
    events = [(local_time(event.at, timezone), event.type, event.by, words(event.details)) for event in shown.history]
    print_table("History", ("when", "what", "by", "details"), events)


def _approval(record: ModelRecord, version: ModelVersion, timezone: str) -> str:
    from modelyard.registry.approval import awaits_approval

    if version.approved_at is not None:
        return f"by {version.approved_by}, {local_time(version.approved_at, timezone)}"
    return "waits for it" if awaits_approval(record, version) else ""


def _print_fact(fact: Promotion, timezone: str) -> None:
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
