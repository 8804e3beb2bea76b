"""`modelyard --help` beside the help of a bare typer program with one command.

    python -m bench.startup

Each is a process of its own, from its start to its end. Target: under 0.3 s, as a multiple of the bare program's time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.report import Row, print_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 0.3  # seconds
REPEATS = 15
"""How often each is measured, in turns; the median counts."""

OURS = ("-m", "modelyard.cli.main", "--help")
BARE = ("-c", "import typer\napp = typer.Typer()\napp.command()(lambda: None)\napp()", "--help")


def seconds(arguments: tuple[str, ...]) -> float:
    """How long a Python process takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def run() -> Iterator[Row]:
    """The one row of this benchmark."""
    taken = [(seconds(OURS), seconds(BARE)) for _ in range(REPEATS)]
    ours, bare = (statistics.median(column) for column in zip(*taken, strict=True))
    target = round(LIMIT / bare, 2)
    yield Row(f"modelyard --help (< {LIMIT:g} s)", f"{ours:.2f} s", f"bare typer: {bare:.2f} s", ours / bare, target)


if __name__ == "__main__":
    print_rows(run())
