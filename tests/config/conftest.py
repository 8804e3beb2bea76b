"""A small sound project, which a test changes in one place."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from modelyard.config.loader import load_project
from modelyard.config.problems import ConfigErrors, Problem
from modelyard.config.project import LoadedProject

HEAD = "apiVersion: modelyard/v1\n"

SOUND = {
    "modelyard.yaml": """
        kind: Project
        name: small
        modules: [sklearn]
        vars: {data: data}
        """,
    "loans.yaml": """
        kind: Source
        name: loans
        format: parquet
        path: ${data}/loans.parquet
        columns:
          {loan_id: string, borrower_id: string, market: string, at: timestamp, amount: double,
            bad: integer, good: boolean}
        timestamp: at
        available: at
        """,
    "history.yaml": """
        kind: FeatureSet
        name: history
        entity: borrower_id
        source: loans
        aggregations:
          - {name: total_30d, of: amount, how: sum, window: 30d}
        """,
    "logistic.yaml": """
        kind: Architecture
        name: logistic
        pipeline:
          - {use: sklearn.linear_model.LogisticRegression, with: {C: "${strength}"}}
        parameters: {strength: 1.0}
        """,
    "default.yaml": """
        kind: Model
        name: default
        task: binary_classification
        data:
          labels: {source: loans, entity: borrower_id, timestamp: at, label: bad, positive: 1}
          features: [history]
        architecture: logistic
        """,
}


class SmallProject:
    """The small project in a folder of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        for name, text in SOUND.items():
            self.write(name, text)

    def write(self, name: str, text: str | None) -> "SmallProject":
        """Write a document into a file, or remove the file."""
        file = self.root / name
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(HEAD + dedent(text).lstrip("\n"))
        return self

    def replace(self, name: str, old: str, new: str) -> "SmallProject":
        """Replace a part of a file, which must be there."""
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))
        return self

    def load(self, environment: str = "default", variables: Mapping[str, str] | None = None) -> LoadedProject:
        return load_project(self.root, environment, variables or {})

    def problems(self, environment: str = "default", variables: Mapping[str, str] | None = None) -> list[Problem]:
        try:
            self.load(environment, variables)
        except ConfigErrors as error:
            return list(error.problems)
        return []

    def said(self) -> list[str]:
        """The problems as `file field: reason`."""
        return [f"{problem.file.name} {problem.field}: {problem.reason}" for problem in self.problems()]


@pytest.fixture
def small(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path / "small")
