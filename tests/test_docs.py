"""Guards of the documents: what they name exists, and what exists is named where it has to be."""

from __future__ import annotations

import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import typer.main

from modelyard.asgi.problem import PROBLEMS
from modelyard.cli.main import build_app
from modelyard.settings import VARIABLES

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
"""The page that a link leads to, this one where it names none, and the heading there."""
COMMAND = re.compile(r"(?<![\w./-])(?<!from )modelyard ([a-z][^`|&#;()\"\n]*)")
"""What stands between `modelyard` and the end of the command. The project's name in a sentence is `Modelyard`."""
CODE = ("platform/*.py", "registry_api/*.py", "scoring_service/*.py", "dags/*.py", "configs/*.py", "configs/*.sh")
"""Where hints name commands."""


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - whichever git there is
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def fault(command: Any, words: list[str]) -> str:
    """What is wrong with a command: a name or an option that does not exist; empty where nothing is."""
    while subcommands := getattr(command, "commands", {}):
        if not words or words[0].startswith("-"):
            break
        if words[0] not in subcommands:
            return f"no command {words[0]}"
        command, words = subcommands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    return f"no option {unknown}" if unknown else ""


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(page: Path, link: str, anchor: str) -> bool:
    target = page.parent / link if link else page
    return target.exists() and (not anchor or anchor in anchors(target))


def test_every_link_leads_somewhere() -> None:
    links = [(page, *link) for page in tracked("*.md") for link in LINK.findall(text(page))]
    assert len(links) > 20
    assert [(str(page), *link) for page, *link in links if not leads_somewhere(page, *link)] == []


def test_every_command_that_a_page_or_a_hint_names_exists() -> None:
    pages = tracked("*.md", "docs/examples/*", ".pre-commit-hooks.yaml", *CODE)
    commands = {(page.name, command) for page in pages for command in COMMAND.findall(text(page))}
    assert len(commands) > 80
    modelyard = typer.main.get_command(build_app())
    faults = {(name, command): fault(modelyard, shlex.split(command, posix=False)) for name, command in commands}
    assert {named: said for named, said in faults.items() if said} == {}


def test_every_variable_is_told_of() -> None:
    pages = "".join(text(page) for page in tracked("docs/*.md"))
    of_jobs = {"MODELYARD_RUN", "MODELYARD_TRIES"}  # set by the platform itself
    assert {name for name in VARIABLES if not re.search(rf"\b{name}\b", pages)} == of_jobs


def test_the_architecture_names_every_room() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:rooms"]["layers"].replace("(__main__)", "")
    named = set(re.findall(r"`(\w+)(?:/|\.py)`", text("docs/architecture.md")))
    assert {room for room in re.split(r"[\s|]+", layers) if room} - named == set()


def test_the_decisions_are_listed_by_their_titles() -> None:
    pages = [page for page in tracked("docs/decisions/*.md") if page.name != "README.md"]
    rows = [f"| {page.name[:4]} | [{text(page).splitlines()[0].removeprefix('# ')}]({page.name}) |" for page in pages]
    assert [row for row in text("docs/decisions/README.md").splitlines() if row.startswith("| 0")] == sorted(rows)


def test_the_registrys_guide_names_every_problem() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (`[^|]+`) \|", text("docs/programs-registry.md"), re.MULTILINE)
    told = {(name.strip("`"), int(status)) for status, names in rows for name in names.split(", ")}
    assert {(name, status.value) for name, status in PROBLEMS.values()} - told == set()
