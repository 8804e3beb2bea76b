"""A mobile-money lender: what is asked for becomes a folder of Parquet files, written whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData
from modelyard.simulator.arrivals import MOST_DAYS_LATE
from modelyard.simulator.calendar import calendar
from modelyard.simulator.life import Group, Life
from modelyard.simulator.loans import TERM
from modelyard.simulator.optimum import Optimum, Tally
from modelyard.simulator.output import CHOOSE, recorded, write_json, written_whole
from modelyard.simulator.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.simulator.parameters import LenderParameters

Progress = Callable[[float], None]
"""Is told how many days of how many borrowers have passed, summed over the borrowers."""

RECORD, OPTIMUM = "simulation.json", "optimum.json"

_LAW = 1
"""Counts the versions of the simulation: another one makes other data of the same parameters."""

_GROUP = 20_000
"""Borrowers who are simulated together: enough for long arrays, few enough for little state."""


@dataclass(frozen=True)
class Simulation:
    """A simulated lender in its folder.

    Args:
        folder: Where it is.
        made: Whether this call made it; otherwise it was there already.
        rows: The number of rows of each table.
        markets: The best that a model can reach in each market.
        overall: The best that a model can reach over all loans.
    """

    folder: Path
    made: bool
    rows: dict[str, int]
    markets: dict[str, Optimum]
    overall: Optimum


def simulate_lender(parameters: LenderParameters, out: Path, progress: Progress) -> Simulation:
    """Simulate a lender, unless `out` holds the same already.

    Everything is written beside `out` and moved there at the end. A process that dies before leaves no `out`; the next
    call with the same `out` removes what it left, and begins again.

    Args:
        parameters: What is asked for.
        out: The folder to make.
        progress: Is told how far it is.

    Raises:
        UsageError: `out` is no folder, or cannot be made.
        Conflict: `out` holds something else, or another process is writing it.
        InvalidData: What `out` says of itself cannot be understood.
        Unavailable: The files could not be written, for lack of space for example.
    """
    out = out.resolve()
    asked = {"simulation": "lender", "law": _LAW, **parameters.content()}
    if recorded(out / RECORD, asked):
        return _read(out, made=False)
    with written_whole(out) as folder:
        rows, tallies = _generate(parameters, folder, progress)
        overall = Tally()
        for tally in tallies.values():
            overall.merge(tally)
        markets = {code: asdict(tally.optimum()) for code, tally in tallies.items()}
        write_json(folder / OPTIMUM, {"overall": asdict(overall.optimum()), "markets": markets})
        write_json(folder / RECORD, {"parameters": asked, "rows": rows})
    return _read(out, made=True)


def _read(out: Path, *, made: bool) -> Simulation:
    try:
        best: dict[str, Any] = json.loads((out / OPTIMUM).read_bytes())
        markets = {code: Optimum(**figures) for code, figures in best["markets"].items()}
        rows: dict[str, int] = json.loads((out / RECORD).read_bytes())["rows"]
        return Simulation(out, made, rows, markets, Optimum(**best["overall"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{out} holds a simulation that was damaged since: {error!r}"
        raise InvalidData(reason, CHOOSE) from error


def _generate(
    parameters: LenderParameters, folder: Path, progress: Progress
) -> tuple[dict[str, int], dict[str, Tally]]:
    """Write the tables into an empty folder; returns their rows, and the loans of each market with a known outcome."""
    for table in SCHEMAS:
        (folder / table).mkdir()
    days = calendar(parameters.end, parameters.days, TERM + MOST_DAYS_LATE + 2, parameters.timezone)
    rows: Counter[str] = Counter()
    tallies = {code: Tally() for code in parameters.markets}
    passed = 0
    for group in _groups(parameters):
        with Life(group, parameters.seed, days, folder, tallies[group.code]) as life:
            for day in range(days.days):
                life.live(day)
                passed += group.size
                progress(passed)
        rows.update(life.rows())
    return dict(rows), tallies


def _groups(parameters: LenderParameters) -> Iterator[Group]:
    number = 0
    for code in parameters.markets:
        for first in range(0, parameters.borrowers, _GROUP):
            yield Group(code, number, first, min(_GROUP, parameters.borrowers - first))
            number += 1
