"""`modelyard doctor`: what is missing here, and what to do about it."""

from __future__ import annotations

import typer

from modelyard.cli.output import AsJson, print_json, print_table

app = typer.Typer()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation, the project, the state folder and the registry."""
    from dataclasses import asdict

    from modelyard.doctor import Health, examine
    from modelyard.workspace import open_workspace

    findings = examine(open_workspace())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.check, finding.health, finding.detail, finding.hint) for finding in findings]
        print_table("Doctor", ("check", "health", "detail", "what to do"), rows)
    raise typer.Exit(int(any(finding.health is Health.FAILED for finding in findings)))
