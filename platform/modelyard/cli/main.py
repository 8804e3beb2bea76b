"""The command line's front door: it gathers the command groups and turns errors into messages and exit codes.

One more group is one more module with a typer `app`, and its name in `GROUPS`.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from typing import TYPE_CHECKING

import typer

from modelyard.cli.output import note
from modelyard.errors import ModelyardError, UsageError
from modelyard.extras import told_what_to_install

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = (
    "config",
    "apply",
    "training",
    "features",
    "models",
    "registry",
    "access",
    "audit",
    "scoring",
    "orchestration",
    "serve",
    "controller",
    "simulate",
    "doctor",
)
"""In the order in which `--help` lists their commands."""

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 the plan has changes, 64 wrong usage, 65 bad config or data, 75 try again later,"
    " 77 not allowed."
)


def build_app() -> typer.Typer:
    """The command line with every group in it."""
    app = typer.Typer(
        name="modelyard",
        help="Commit a YAML file; tomorrow the model is scoring.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would take longer to load than all of the help
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("version")(version)
    for name in GROUPS:
        app.add_typer(importlib.import_module(f"modelyard.cli.{name}").app)
    return app


def version() -> None:
    """Print the version of Modelyard."""
    from importlib.metadata import version as installed

    typer.echo(installed("modelyard"))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    Args:
        arguments: The words after `modelyard`.
    """
    try:
        with told_what_to_install(f"`{_command(arguments)}`"):
            code = build_app()(args=list(arguments), prog_name="modelyard", standalone_mode=False)
    except ModelyardError as error:
        note(f"error: {error}")
        return error.exit_code
    except typer.TyperException as error:
        message = error.format_message()
        # A group named without a command is answered with its help, which is no error to read.
        help_text = message.startswith("Usage:")
        note(message if help_text else f"error: {message}\n  hint: add --help to see what there is")
        return UsageError.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away; Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        note(f"error: {place}{error.strerror or error}")
        return EXIT_FAILED
    return code if isinstance(code, int) else 0


def _command(arguments: Sequence[str]) -> str:
    """The command of a command line, without what follows its options."""
    return " ".join(["modelyard", *itertools.takewhile(lambda word: not word.startswith("-"), arguments)])


def main() -> None:
    """The entry point of the `modelyard` command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
