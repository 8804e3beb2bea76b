"""What the images are made of: one base for every stage, the lock, nobody's hosts, no root, no tools at run time."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))


def instructions(file: Path) -> list[str]:
    """The instructions, each on one line, without comments."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_is_built_from_the_lock_on_one_base_and_runs_without_root_and_tools(file: Path) -> None:
    lines = instructions(file)
    assert lines[0] == "ARG BASE_IMAGE=python:3.11-slim"
    stages = [line for line in lines if line.startswith("FROM ")]
    assert stages == ["FROM ${BASE_IMAGE} AS build", "FROM ${BASE_IMAGE}"]
    syncs = [line for line in lines if "uv sync" in line]
    assert len(syncs) == 2
    assert all("--frozen" in line for line in syncs)
    assert "--no-editable" in syncs[1]
    assert not re.search(r"https?://|\w+\.(com|org|net|io)\b", "\n".join(lines))

    last = lines[lines.index("FROM ${BASE_IMAGE}") :]
    (user,) = [line for line in last if line.startswith("USER ")]
    assert re.fullmatch(r"USER [1-9]\d{3,}:[1-9]\d{3,}", user)
    assert re.fullmatch(r'ENTRYPOINT \["/opt/modelyard/bin/(modelyard|airflow)"\]', last[-1])
    assert any("slim.sh base" in line for line in last)
    assert not any(re.search(r"\b(pip|uv)\b", line) for line in last)
    # All that is copied is the environment: neither sources nor the lock are in an image.
    assert [line for line in last if line.startswith(("COPY", "ADD"))] == [
        "COPY --from=build /opt/modelyard /opt/modelyard"
    ]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_asks_for_extras_that_there_are(file: Path) -> None:
    asked = re.findall(r"--extra (\w+)", next(line for line in instructions(file) if line.startswith("ARG EXTRAS")))
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert asked
    assert set(asked) <= set(optional)


def test_services_leave_out_engines_and_what_fits() -> None:
    extras = {file.parent.name: file.read_text(encoding="utf-8") for file in DOCKERFILES}
    assert extras.keys() == {"airflow", "scoring", "service", "trainer"}
    for name in ("service", "scoring"):
        assert "--extra features" not in extras[name]
    assert "--extra sklearn" not in extras["service"]


def test_a_build_is_given_nothing_but_what_it_needs() -> None:
    kept = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] in "*!"]
    assert kept[0] == "*"
    assert {line[1:] for line in kept if line.startswith("!")} == {
        "LICENSE", "README.md", "dags", "images", "platform", "pyproject.toml", "registry_api", "scoring_service",
        "uv.lock",
    }  # fmt: skip
