"""`modelyard init | validate | explain | schema | plan`: documents, before anything runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.output import AsJson, note, print_json, print_table, progress
from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from modelyard.config.problems import Problem

EXIT_CHANGES = 2

MANY_FILES = 2000  # checked in about two seconds; more get a progress bar
PERCENT = 100

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the project; made where it is not there.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a small complete project: documents that validate, plan and train on a laptop at once."""
    from modelyard.config.scaffold import write_project

    written = [path.as_posix() for path in write_project(folder)]
    if as_json:
        print_json({"files": written})
        return
    for path in written:
        typer.echo(path)
    note(
        f"Next: {'' if folder == Path() else f'cd {shlex.quote(str(folder))} && '}modelyard validate && modelyard plan"
    )


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Projects, or folders with projects below them; the current project unless said."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every document, and the references between them. Silent where all is well; exit code 65 where not."""
    from modelyard.config.loader import find_projects
    from modelyard.config.problems import render_problems, summary

    roots = dict.fromkeys(root for path in paths or [Path()] for root in find_projects(path))
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for root in roots:
        found, known = _problems_of(root)
        problems += found
        warnings += known
    if as_json:
        content = {"problems": problems, "warnings": warnings}
        print_json({key: [problem.content() for problem in found] for key, found in content.items()})
    else:
        for warning in warnings:
            note(f"warning: {warning}")
        if problems:
            typer.echo(render_problems(problems))
            note(summary(problems))
    if problems:
        raise typer.Exit(InvalidData.exit_code)


def _problems_of(root: Path) -> tuple[list[Problem], list[Problem]]:
    """The problems of a project, and the warnings of one whose documents have none."""
    from modelyard.config.discovery import document_files
    from modelyard.config.loader import load_project
    from modelyard.config.problems import ConfigErrors
    from modelyard.features.problems import compile_problems
    from modelyard.settings import read_settings

    environment = read_settings(root).environment
    try:
        if len(document_files(root)) < MANY_FILES:
            loaded = load_project(root, environment)
        else:
            with progress(f"Checking {root.name}", PERCENT) as tell:
                loaded = load_project(root, environment, tell=lambda done: tell(PERCENT * done))
    except ConfigErrors as error:
        return list(error.problems), []
    return list(compile_problems(loaded)), list(loaded.warnings)


@app.command()
def explain(
    field: Annotated[str | None, typer.Argument(help="KIND, or KIND.FIELD at any depth: Model.data.labels.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a kind of document, or a field of it, means: its type, its default, its fields, an example."""
    from modelyard.config.explain import explain as explain_field
    from modelyard.config.explain import render_explanation
    from modelyard.config.kinds import KINDS

    if field is None:
        kinds = [explain_field(kind) for kind in KINDS]
        if as_json:
            print_json([kind.content() for kind in kinds])
        else:
            print_table("Kinds", ("kind", "description"), [(kind.path, kind.description) for kind in kinds])
        return
    explanation = explain_field(field)
    if as_json:
        print_json(explanation.content())
    else:
        typer.echo(render_explanation(explanation))


@app.command()
def schema(
    kind: Annotated[str | None, typer.Argument(help="The kind; a schema for any kind unless said.")] = None,
    write: Annotated[Path | None, typer.Option(help="A folder to write the schemas of all kinds into.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of a kind, or write those of all kinds, for editors to check while one types."""
    from modelyard.config.json_schema import schema_text, write_schemas

    if write is None:
        typer.echo(schema_text(kind), nl=False)
        return
    written = [path.as_posix() for path in write_schemas(write)]
    if as_json:
        print_json({"files": written})
    else:
        typer.echo("\n".join(written))


@app.command()
def plan(
    path: Annotated[
        Path | None, typer.Argument(help="A project, or a folder or file of one, which narrows the plan to it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file to save the plan into, for `modelyard apply FILE`.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as for a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what applying the project would change. Exit code 2 where there are changes."""
    from modelyard.apply import plan_changes
    from modelyard.config.plan_file import save_plan
    from modelyard.config.plan_report import render_markdown, render_plan
    from modelyard.workspace import open_workspace

    workspace = open_workspace(path)
    planned = plan_changes(workspace, workspace.project.narrowed_to(path))
    if out is not None:
        save_plan(planned, out)
    if as_json:
        print_json(planned.content())
    else:
        typer.echo(render_markdown(planned) if markdown else render_plan(planned))
    if planned.has_changes:
        raise typer.Exit(EXIT_CHANGES)
