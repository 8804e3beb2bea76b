"""A small installation: it reads projects and speaks with a registry, and says in words what it lacks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from modelyard.errors import MissingExtra
from modelyard.extras import EXTRAS, extra_of, told_what_to_install

ROOT = Path(__file__).parent.parent

THIN = """
import sys

ABSENT = {absent!r}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from modelyard.cli.main import run
codes = [run(line.split()) for line in sys.argv[1:]]
sys.exit(codes[-1] if set(codes[:-1]) <= {{0, 2}} else 99)
"""
"""The command line, as where none of the extras is installed; the last line's exit code is the process's."""


def thin(*lines: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    absent = sorted({library for libraries in EXTRAS.values() for library in libraries})
    program = THIN.format(absent=absent)
    return subprocess.run([sys.executable, "-c", program, *lines], cwd=cwd, capture_output=True, text=True, check=False)


def test_every_extra_has_its_libraries_and_every_library_its_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    assert set(EXTRAS) == set(optional) - {"all", "airflow"}
    modules = packages_distributions()
    listed = {name.lower() for libraries in EXTRAS.values() for library in libraries for name in modules[library]}
    installed = {name.lower() for names in modules.values() for name in names}
    for extra in EXTRAS:
        brought = {Requirement(line).name.lower() for line in optional[extra]} - {"modelyard"}
        assert brought & installed <= listed, extra
    core = {name.partition(">")[0] for name in project["dependencies"]}
    assert not core & {library for libraries in EXTRAS.values() for library in libraries}


def test_the_core_reads_projects_and_speaks_with_a_registry(tmp_path: Path) -> None:
    done = thin("init", "validate", "plan", "models", "poll", "dags", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("simulate lender --out data --end 2026-07-01", "datasets"),
        ("features check", "features"),
        ("serve registry", "serving"),
        ("serve scoring", "serving"),
    ],
)
def test_a_command_says_which_extra_it_needs(tmp_path: Path, line: str, extra: str) -> None:
    done = thin("init", line, cwd=tmp_path)
    assert done.returncode == MissingExtra.exit_code, done.stderr
    assert f"pip install 'modelyard[{extra}]'" in done.stderr


def test_the_registry_is_served_without_engines_and_models(tmp_path: Path) -> None:
    absent = sorted({"duckdb", "pyarrow", "numpy", "pandas", "sklearn", "scipy", "lightgbm"})
    program = THIN.partition("from modelyard")[0].format(absent=absent) + "import registry_api.serve, registry_api.app"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_module_that_no_extra_brings_is_a_mistake_of_our_own() -> None:
    ours = ModuleNotFoundError("No module named 'modelyard.nowhere'", name="modelyard.nowhere")
    assert extra_of(ours) is None
    with pytest.raises(ModuleNotFoundError, match="nowhere"), told_what_to_install("this"):
        raise ours
    theirs = ModuleNotFoundError("No module named 'duckdb'", name="duckdb")
    with pytest.raises(MissingExtra, match="this needs the extra `features`"), told_what_to_install("this"):
        raise theirs
