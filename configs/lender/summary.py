"""What the quick start made: models beside the best that anyone could reach, where it lies, what to try next."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import modelyard
from modelyard.cli.output import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.records import ModelVersion
    from modelyard.registry.registry import Registry

HERE = Path(__file__).parent

NEXT = """
Where it lies, in {here}:
  data/                       the simulated lender; optimum.json says what the best model could reach
  .modelyard/registry.db      models, versions, what is live and when, runs, history
  .modelyard/artifacts/       the versions' files
  .modelyard/datasets/        features, training sets and predictions, as Parquet
  .modelyard/specs/           one DAG specification for each live model

Try next:
  cd {here}
  export PATH={programs}:$PATH
  modelyard models ke_loan_default_forest       versions, promotions, history
  modelyard train ke_loan_default_forest --set with.trees=50 --no-register
  modelyard plan                                after an edit of models/loan_default.yaml
  modelyard lineage borrower_history            which models depend on it
  modelyard serve scoring                       scores over HTTP; docs/programs-scoring.md goes through it
"""


def main() -> None:
    """Print the table of models, and where to go on."""
    workspace = modelyard.open(HERE)
    optimum = json.loads((HERE / "data" / "optimum.json").read_text(encoding="utf-8"))["markets"]
    rows = [_row(workspace.registry, name, optimum.get(name[:2])) for name in sorted(workspace.project.models)]
    print_table("Models", ("model", "version", "AUC (95 %)", "best reachable", "KS (95 %)", "live from"), rows)
    typer.echo(NEXT.format(here=HERE, programs=Path(sys.executable).parent))


def _row(registry: Registry, name: str, optimum: Mapping[str, float] | None) -> tuple[str, ...]:
    """A model's line; what its newest version does not say stays empty."""
    newest = next(iter(registry.versions(name, limit=1).items), None)
    promotions = registry.promotions(name)
    return (
        name,
        str(newest.number) if newest else "",
        _shown(newest, "roc_auc"),
        f"{optimum['roc_auc']:.3f}" if optimum else "",
        _shown(newest, "ks"),
        f"{promotions[-1].live_from:%Y-%m-%d %H:%M} UTC" if promotions else "",
    )


def _shown(version: ModelVersion | None, metric: str) -> str:
    estimate = version.metrics.get(metric) if version else None
    if estimate is None:
        return ""
    interval = "" if estimate.low is None else f" ({estimate.low:.3f} – {estimate.high:.3f})"
    return f"{estimate.value:.3f}{interval}"


if __name__ == "__main__":
    main()
