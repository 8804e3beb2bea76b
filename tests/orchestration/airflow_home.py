"""A real Airflow with a home of its own, driven as an operator drives it: by its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
LOADER = DAGS / "modelyard_models.py"


@dataclass(frozen=True)
class Parsed:
    """What came of parsing a DAG file."""

    dags: dict[str, str]
    """The serialised form of each DAG, by its id."""
    errors: list[str]
    opened: list[str]
    """The spec files that were read."""
    log: str


class AirflowHome:
    """Airflow's settings and database in a folder, and a project folder beside them."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.specs = folder / "specs"
        self.project.mkdir()
        self._report = folder / "report.json"
        self.settings = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name} | {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "MODELYARD_PROJECT": str(self.project),
            "MODELYARD_SPECS": str(self.specs),
        }

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run an `airflow` command."""
        return self._process([sys.executable, "-m", "airflow", *words], environment)

    def modelyard(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a `modelyard` command with the same settings."""
        return self._process([sys.executable, "-m", "modelyard.cli.main", *words], environment)

    def parse(self, file: Path = LOADER, **environment: str) -> Parsed:
        """Parse a DAG file in a process of its own."""
        script = str(Path(__file__).with_name("parse_dag_file.py"))
        ran = self._process([sys.executable, script, str(file), str(self._report)], environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        report = json.loads(self._report.read_text())
        opened = [path for path in report.pop("opened") if Path(path).is_relative_to(self.specs)]
        return Parsed(**report, opened=opened, log=ran.stdout + ran.stderr)

    def _process(self, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.project,
            env=self.settings | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
