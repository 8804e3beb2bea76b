"""`modelyard doctor`: what is missing here, and what to do about it."""

from __future__ import annotations

import typer

from modelyard.cli.output import AsJson, print_json, print_table

app = typer.Typer()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation, the project, the state folder and the registry."""
    from modelyard.doctor import Health, examine
    from modelyard.workspace import open_workspace

    diagnoses = examine(open_workspace())
    if as_json:
        print_json(diagnoses)
    else:
        rows = [(one.check, one.health, one.detail, one.hint) for one in diagnoses]
        print_table("Doctor", ("check", "health", "detail", "what to do"), rows)
    raise typer.Exit(int(any(one.health is Health.FAILED for one in diagnoses)))
