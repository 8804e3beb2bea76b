"""How commands speak: tables and progress for people, JSON for programs.

Results go to standard output; notes, progress and errors go to standard error, so that a pipe carries results only.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import BaseModel

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
"""The option that every command takes."""

_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

PLAIN_WIDTH = 200  # columns of a table that no terminal bounds


def print_json(value: Any) -> None:
    """Print a value as JSON: records as their content, instants in ISO form."""
    json.dump(value, sys.stdout, indent=2, default=_plain, allow_nan=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    model: BaseModel | None = value if hasattr(value, "model_dump") else None
    return model.model_dump(mode="json", by_alias=True) if model is not None else str(value)


def readable(text: str) -> str:
    """A text as a terminal may show it: whoever wrote a reason or a name must not move its cursor or colour it."""
    return text.translate(_CONTROL)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; where there is nothing to show, say so."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else readable(str(cell))) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(table)


def note(text: str) -> None:
    """Say what happens, to people."""
    typer.echo(readable(text), err=True)


@contextmanager
def progress(description: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """A progress bar on standard error.

    Yields:
        A function that takes how much is done so far, of `total`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    parts = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*parts, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)
