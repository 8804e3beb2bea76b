"""Validation of 10,000 configs beside a bare script that reads the same files into the same classes.

    python -m bench.validation

The script (PyYAML's C loader and pydantic) knows no places, no variables, and no references between documents. Each
is a process of its own, from its start to its end. Target: under 10 s, as a multiple of the script's time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Row, print_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGS = 10_000
LIMIT = 10.0  # seconds
REPEATS = 2
"""How often each is measured; the fastest counts."""

OURS = ("-m", "modelyard.cli.main", "validate")
BARE = """
import sys
from pathlib import Path
import yaml
from modelyard.config.kinds import Model
for path in Path(sys.argv[1], "models").iterdir():
    Model.model_validate(yaml.load(path.read_text(), yaml.CSafeLoader))
"""

SHARED = """\
apiVersion: modelyard/v1
kind: Source
name: loans
format: parquet
path: ${data}/loans/*.parquet
columns: {borrower_id: string, market: string, disbursed_at: timestamp, principal: double, bad: integer, open: boolean}
timestamp: disbursed_at
available: disbursed_at
---
apiVersion: modelyard/v1
kind: FeatureSet
name: borrower_history
entity: borrower_id
source: loans
aggregations:
  - {name: borrowed_30d, of: principal, how: sum, window: 30d, where: "market = 'ke'"}
---
apiVersion: modelyard/v1
kind: Architecture
name: boosted_trees
pipeline:
  - {use: sklearn.impute.SimpleImputer, with: {strategy: median}}
  - {use: lightgbm.LGBMClassifier, with: {n_estimators: 400, learning_rate: "${learning_rate}"}}
parameters: {learning_rate: 0.1}
"""

MODEL = """\
apiVersion: modelyard/v1
kind: Model
name: loan_default_{number}
owner: credit-ke
timezone: Africa/Nairobi
description: Probability that a borrower misses the 30-day repayment.
task: binary_classification
data:
  labels:
    source: loans
    entity: borrower_id
    timestamp: disbursed_at
    label: bad
    positive: 1
    delay: 30d
    where: "market = 'm{number}'"
    weight: principal
  features: [borrower_history]
  from: 2026-01-01
  split: {{by: time, test: 0.2}}
architecture: boosted_trees
with: {{learning_rate: {rate}}}
seed: {number}
evaluation:
  metrics: [roc_auc, gini, ks, brier]
  gates:
    - {{metric: roc_auc, at_least: 0.70}}
    - {{metric: roc_auc, within: 0.005, of: live}}
promotion: auto
resources: {{cpu: 2, memory: 4Gi, timeout: 2h}}
scoring:
  schedule: "0 4 * * *"
  population: {{source: loans, entity: borrower_id, where: "open and market = 'm{number}'"}}
"""


def write_configs(folder: Path, count: int = CONFIGS) -> None:
    """Write a project of that many models, no two of them alike.

    Args:
        folder: An empty folder.
        count: How many models.
    """
    project = "apiVersion: modelyard/v1\nkind: Project\nname: bench\nmodules: [sklearn, lightgbm]\nvars: {data: data}\n"
    (folder / "modelyard.yaml").write_text(project)
    (folder / "shared.yaml").write_text(SHARED)
    (folder / "models").mkdir()
    for number in range(count):
        text = MODEL.format(number=number, rate=round(0.01 + number / 1e6, 6))
        (folder / "models" / f"m{number}.yaml").write_text(text)


def seconds(*arguments: str) -> float:
    """How long a Python process takes, the fastest of a few."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def run() -> Iterator[Row]:
    """The one row of this benchmark."""
    with tempfile.TemporaryDirectory() as name:
        write_configs(Path(name))
        ours, bare = seconds(*OURS, name), seconds("-c", BARE, name)
    peer = f"PyYAML's C loader and pydantic, no references: {bare:.1f} s"
    work, target = f"validate {CONFIGS:,} configs (< {LIMIT:g} s)", round(LIMIT / bare, 2)
    yield Row(work, f"{ours:.1f} s", peer, ours / bare, target)


if __name__ == "__main__":
    print_rows(run())
