"""What the quick start made: models beside the best that anyone could reach, where it lies, what to try next."""

import json
import sys
from pathlib import Path

import typer

import modelyard
from modelyard.cli.output import print_table

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
    rows = []
    for name in sorted(workspace.project.models):
        version = workspace.registry.latest(name)
        live_from = workspace.registry.promotions(name)[-1].live_from
        auc, ks = version.metrics["roc_auc"], version.metrics["ks"]
        interval = f"{auc.value:.3f} ({auc.low:.3f} – {auc.high:.3f})"
        best = f"{optimum[name[:2]]['roc_auc']:.3f}"
        rows.append((name, version.number, interval, best, f"{ks.value:.3f}", f"{live_from:%Y-%m-%d %H:%M} UTC"))
    print_table("Models", ("model", "version", "AUC (95 %)", "best reachable", "KS", "live from"), rows)
    typer.echo(NEXT.format(here=HERE, programs=Path(sys.executable).parent))


if __name__ == "__main__":
    main()
