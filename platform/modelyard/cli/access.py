"""Who may: `modelyard token`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.output import AsJson, note, print_json

app = typer.Typer()


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Whose token it is: his name in the history.")],
    role: Annotated[
        list[str] | None, typer.Option(help="viewer, author, approver or operator; viewer unless said.")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="A team whose things he sees and may change.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for somebody who calls services, and his entry for the file of MODELYARD_AUTH_FILE."""
    from modelyard.asgi.auth.file import checked_entry
    from modelyard.asgi.auth.static import new_token

    made, digest = new_token()
    entry = {"name": name, "sha256": digest, "roles": role or ["viewer"], **({"teams": team} if team else {})}
    checked_entry(entry)
    if as_json:
        print_json({"token": made, "entry": entry})
        return
    note("The token, which is nowhere else; whoever has it is believed to be " + name + ":")
    typer.echo(made)
    note("Its entry, for `tokens` in the file that MODELYARD_AUTH_FILE names:")
    typer.echo(f"  - {{name: {name}, sha256: {digest}, roles: [{', '.join(entry['roles'])}]{_teams(team)}}}")


def _teams(names: list[str] | None) -> str:
    return f", teams: [{', '.join(names)}]" if names else ""
