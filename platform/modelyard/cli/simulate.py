"""`modelyard simulate`: businesses to try it all on. One more is one more command here."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.output import AsJson, note, print_json, print_table, progress

if TYPE_CHECKING:
    from modelyard.simulator.lender import Simulation
    from modelyard.simulator.optimum import Optimum

app = typer.Typer()
_simulate = typer.Typer(help="Make the data of a simulated business.", no_args_is_help=True)
app.add_typer(_simulate, name="simulate")


@_simulate.callback()
def _group() -> None:
    """Make the data of a simulated business."""


@_simulate.command("lender")
def lender(  # noqa: PLR0913, PLR0917 - typer makes an option of each argument
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    end: Annotated[str, typer.Option(help="The day at whose midnight the data ends, as 2026-07-01.")],
    markets: Annotated[str, typer.Option(help="Market codes, with commas between them.")] = "ke,gh,ug",
    days: Annotated[int, typer.Option(help="Days of transactions before the end.")] = 180,
    borrowers: Annotated[int, typer.Option(help="Borrowers in each market.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 0,
    timezone: Annotated[str, typer.Option(help="Whose midnights history is seen from.")] = "Africa/Nairobi",
    as_json: AsJson = False,
) -> None:
    """Simulate a mobile-money lender: borrowers, transactions, devices, and loans whose best possible AUC is known."""
    from modelyard.simulator.lender import simulate_lender
    from modelyard.simulator.parameters import LenderParameters, parse_end, parse_markets

    asked = LenderParameters(parse_end(end), parse_markets(markets), days, borrowers, seed, timezone)
    begun = time.perf_counter()
    with progress("Simulating", len(asked.markets) * borrowers * days) as tell:
        made = simulate_lender(asked, out, tell)
    seconds = time.perf_counter() - begun
    if as_json:
        print_json(_content(made, seconds))
    else:
        _print(made, seconds)


def _content(made: "Simulation", seconds: float) -> dict[str, Any]:
    from dataclasses import asdict

    speed = round(made.rows["transactions"] / seconds) if made.made else None
    return {**asdict(made), "seconds": round(seconds, 3), "transactions_per_second": speed}


def _print(made: "Simulation", seconds: float) -> None:
    print_table("Rows", ("table", "rows"), [(table, f"{rows:,}") for table, rows in made.rows.items()])
    typer.echo()
    figures = [_figures(name, optimum) for name, optimum in (*made.markets.items(), ("overall", made.overall))]
    print_table("The best that a model can reach", ("market", "loans", "defaults", "AUC", "expected AUC"), figures)
    if made.made:
        speed = made.rows["transactions"] / seconds
        note(f"Made {made.folder} in {seconds:.1f} s, {speed:,.0f} transactions a second.")
    else:
        note(f"{made.folder} holds this simulation already; nothing to do.")


def _figures(name: str, optimum: "Optimum") -> tuple[str, ...]:
    rates = (optimum.roc_auc, optimum.expected_roc_auc)
    defaults = "" if optimum.default_rate is None else f"{optimum.default_rate:.1%}"
    return (name, f"{optimum.loans:,}", defaults, *("" if rate is None else f"{rate:.3f}" for rate in rates))
