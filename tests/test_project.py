"""Guards of the project itself: its layout, its make targets, its package, its workflows."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LAYOUT = (
    "pyproject.toml", "platform", "configs", "dags", "schemas", "registry_api", "scoring_service", "tests", "README.md",
)  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|root|work|Users)/\w")


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - whichever git there is
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+)$", text_of(ROOT / "Makefile").replace("\\\n", " "), re.MULTILINE)
    assert phony
    return set(phony[1].split())


@pytest.mark.parametrize("name", LAYOUT)
def test_the_layout_is_the_agreed_one(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_folder_platform_does_not_hide_the_module_platform() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    asked = "import platform, modelyard; print(platform.system())"
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip()


def test_every_folder_of_code_is_a_package_that_import_contracts_see() -> None:
    folders = {path.parent for path in tracked("platform/*.py", "registry_api/*.py", "scoring_service/*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - whichever make there is
    assert set(re.findall(r"^ {2}make ([a-z-]+) +\S", listed, re.MULTILINE)) == make_targets()


def test_every_tier_of_tests_has_a_target_and_runs_in_ci() -> None:
    markers = {marker.split(":")[0] for marker in project()["tool"]["pytest"]["markers"]}
    tiers = {target for target in make_targets() if target.startswith("test")}
    assert tiers == {"test"} | {f"test-{marker}" for marker in markers}
    assert tiers == set(re.findall(r"^tier (\S+)", text_of(ROOT / ".ci" / "run"), re.MULTILINE))


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert [str(path) for path in tracked() if MACHINE_PATH.search(text_of(path))] == []


def test_no_module_is_longer_than_400_lines() -> None:
    code = tracked("platform/*.py", "registry_api/*.py", "scoring_service/*.py")
    assert [path.name for path in code if len(text_of(path).splitlines()) > 400] == []


def test_every_exception_to_the_linter_says_why() -> None:
    bare = re.compile(r"#\s*noqa(?!: [A-Z]+\d+(?:, ?[A-Z]+\d+)* - \w)")
    assert [path.name for path in tracked("*.py") if path != Path(__file__) and bare.search(text_of(path))] == []
    lint = text_of(ROOT / "pyproject.toml").partition("\nignore = [\n")[2].partition("\n]\n")[0]
    assert all(re.search(r'^  "[A-Z0-9]+",\s+# \w', line) for line in lint.splitlines())


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert newest
    assert newest[1] == project()["project"]["version"] == version("modelyard")


def test_the_chart_and_the_images_carry_the_version_that_is_built() -> None:
    chart = yaml.safe_load(text_of(ROOT / "charts" / "modelyard" / "Chart.yaml"))
    made = re.findall(r"^TAG \?= (\S+)$", text_of(ROOT / "Makefile"), re.MULTILINE)
    run = re.findall(r"image: modelyard-\w+:\$\{TAG:-(.+)\}$", text_of(ROOT / "compose.yaml"), re.MULTILINE)
    assert len(made) == 1
    assert len(run) > 1
    assert {chart["version"], chart["appVersion"], *made, *run} == {project()["project"]["version"]}


def test_the_wheel_holds_the_packages_and_the_command(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        command = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert b"modelyard = modelyard.cli.main:main" in archive.read(command)
    assert {"modelyard/py.typed", "registry_api/py.typed", "scoring_service/py.typed"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not {name.split("/")[0] for name in names} & {"platform", "tests", "bench", "configs"}


def test_the_pre_commit_hook_runs_the_installed_command() -> None:
    (hook,) = yaml.safe_load(text_of(ROOT / ".pre-commit-hooks.yaml"))
    assert hook["id"] == "modelyard-validate"
    assert hook["entry"].split()[0] in project()["project"]["scripts"]
    assert hook["pass_filenames"] is False
    assert re.search(hook["files"], "models/loan_default.yaml")
    assert not re.search(hook["files"], "README.md")


def test_ci_runs_make_targets_on_every_supported_python() -> None:
    jobs = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {command.split()[1] for command in commands if command.startswith("make ")} <= make_targets()
    supported = [name.split(" :: ")[-1] for name in project()["project"]["classifiers"] if "Python :: 3." in name]
    assert jobs["check"]["strategy"]["matrix"]["python"] == supported


def test_ci_starts_servers_as_the_docs_say() -> None:
    jobs = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    said = re.search(
        r"^```sh\n(docker run .+?)^```", text_of(ROOT / "docs" / "architecture.md"), re.MULTILINE | re.DOTALL
    )
    assert said
    assert jobs["server"]["steps"][-1]["run"] == said[1]


def test_the_example_workflow_takes_changes_in_a_plan_for_no_failure(tmp_path: Path) -> None:
    jobs = yaml.safe_load(text_of(ROOT / "docs" / "examples" / "github-actions-configs.yml"))["jobs"]
    plan = next(step["run"] for step in jobs["plan"]["steps"] if step.get("name") == "Plan")
    for code, expected in {0: 0, 1: 1, 2: 0, 65: 65}.items():
        script = f"modelyard() {{ echo the plan; return {code}; }}\n{plan}"
        ran = subprocess.run(
            ["bash", "-e", "-c", script],  # noqa: S607 - whichever bash there is
            cwd=tmp_path,
            env={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PATH": "/usr/bin:/bin"},
            check=False,
            capture_output=True,
        )
        assert ran.returncode == expected
    assert "the plan" in text_of(tmp_path / "summary.md")
