"""What the quick start made: the models beside the best that anyone could reach, and where everything lies."""

import json
from pathlib import Path

import modelyard

HERE = Path(__file__).parent


def main() -> None:
    """Print the table of models."""
    from rich.console import Console
    from rich.table import Table

    workspace = modelyard.open(HERE)
    optimum = json.loads((HERE / "data" / "optimum.json").read_text())
    table = Table(title="Models", title_justify="left", show_edge=False)
    for heading in ("model", "version", "AUC (95 %)", "best reachable", "KS", "live from"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name in sorted(workspace.project.models):
        version = workspace.registry.latest(name)
        promotions = workspace.registry.promotions(name)
        auc, ks = version.metrics["roc_auc"], version.metrics["ks"]
        table.add_row(
            name,
            str(version.number),
            f"{auc.value:.3f} ({auc.low:.3f} – {auc.high:.3f})",
            f"{optimum['markets'][name[:2]]['roc_auc']:.3f}",
            f"{ks.value:.3f}",
            f"{promotions[-1].live_from:%Y-%m-%d %H:%M} UTC",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
