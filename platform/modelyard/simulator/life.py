"""One group of borrowers, lived through day by day and written as it goes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from modelyard.simulator.borrowers import AGE_BANDS, GENDERS, Borrowers, draw_borrowers
from modelyard.simulator.devices import APP_VERSIONS, MODELS, SYSTEMS, Devices, changed_devices, first_devices
from modelyard.simulator.history import History
from modelyard.simulator.loans import TERM, Lending, Loans
from modelyard.simulator.markets import Market, market_named
from modelyard.simulator.tables import SCHEMAS, UNKNOWN, Part
from modelyard.simulator.wallets import CHANNELS, DIRECTIONS, Transactions, Wallets

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from modelyard.simulator.calendar import Calendar
    from modelyard.simulator.optimum import Tally


@dataclass(frozen=True)
class Group:
    """Some borrowers of one market; `number` counts the groups of all markets."""

    code: str
    number: int
    first: int
    size: int

    @property
    def market(self) -> Market:
        """Where they live."""
        return market_named(self.code)

    def ids(self) -> list[str]:
        """Their names."""
        return [f"{self.code}-{index:07d}" for index in range(self.first, self.first + self.size)]

    def generators(self, seed: int) -> list[np.random.Generator]:
        """A stream of its own for each of: traits, wallets, devices, loans."""
        key = (int.from_bytes(self.code.encode()), self.first)
        return [np.random.default_rng(child) for child in np.random.SeedSequence(seed, spawn_key=key).spawn(4)]


class Life:
    """One group's days, written as they pass; the files are complete when the `with` ends.

    Args:
        group: Who.
        seed: Decides every draw, with the group.
        days: The days that pass.
        folder: Holds a folder for each table, and gets one file of each.
        tally: Takes the loans whose outcome is known at the end.
    """

    def __init__(self, group: Group, seed: int, days: Calendar, folder: Path, tally: Tally) -> None:
        traits, self._wallet_draws, self._device_draws, self._loan_draws = group.generators(seed)
        self._group, self._days, self._tally = group, days, tally
        self._borrowers = draw_borrowers(traits, group.market, group.ids(), days)
        self._history = History(days, group.size)
        self._wallets = Wallets(self._borrowers, group.market, days)
        self._lending = Lending(self._borrowers, group.market, days)
        self._files = ExitStack()
        names = _names(group, self._borrowers)
        self._parts = {
            table: Part(folder / table / f"part-{group.number:05d}.parquet", schema, names)
            for table, schema in SCHEMAS.items()
        }

    def __enter__(self) -> Self:
        for part in self._parts.values():
            self._files.enter_context(part)
        self._write_borrowers()
        self._keep_devices(first_devices(self._device_draws, self._borrowers, self._days))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def rows(self) -> dict[str, int]:
        """How many rows each table has so far."""
        return {table: part.rows for table, part in self._parts.items()}

    def live(self, day: int) -> None:
        """Pass one day. Loans come first: they see what was known at midnight, and nothing of the day."""
        self._history.learn(day)
        self._keep_loans(self._lending.lend(self._loan_draws, day, self._history))
        self._history.begin(day)
        self._keep_transactions(self._wallets.pass_day(self._wallet_draws, day))
        self._keep_devices(changed_devices(self._device_draws, self._borrowers, self._days, self._group.market, day))

    def _write_borrowers(self) -> None:
        borrowers = self._borrowers
        self._parts["borrowers"].append(
            borrower_id=np.arange(len(borrowers)),
            market=np.zeros(len(borrowers), dtype=np.int64),
            gender=borrowers.gender,
            age_band=borrowers.age_band,
            region=borrowers.region,
            registered_at=borrowers.registered_at,
            active=borrowers.last_day >= self._days.days,
        )

    def _keep_transactions(self, done: Transactions) -> None:
        self._history.put_transactions(done.who, done.event, done.available, done.hundredths, done.direction == 0)
        self._parts["transactions"].append(
            borrower_id=done.who,
            event_time=done.event,
            available_time=done.available,
            amount=done.hundredths / 100,
            direction=done.direction,
            channel=done.channel,
        )

    def _keep_devices(self, held: Devices) -> None:
        self._history.put_devices(held.who, held.seen, held.available, held.is_rooted)
        self._parts["devices"].append(
            borrower_id=held.who,
            seen_at=held.seen,
            available_time=held.available,
            model=held.model,
            os=held.os,
            app_version=held.app_version,
            is_rooted=held.is_rooted == 1,
        )

    def _keep_loans(self, made: Loans) -> None:
        self._history.put_outcomes(made.who, made.due, made.available, made.defaulted)
        known = made.due < self._days.end
        self._tally.add(made.probability[known], made.defaulted[known])
        loan_ids = self._loan_ids(made)
        self._parts["loans"].append(
            loan_id=loan_ids,
            borrower_id=made.who,
            market=np.zeros(len(known), dtype=np.int64),
            disbursed_at=made.disbursed,
            due_at=made.due,
            principal=made.principal,
            term_days=np.full(len(known), TERM),
            defaulted_30d=np.where(known, made.defaulted, UNKNOWN),
            outcome_at=np.where(known, made.due, UNKNOWN),
            available_time=np.where(known, made.available, UNKNOWN),
        )
        self._parts["truth"].append(loan_id=loan_ids, default_probability=made.probability)

    def _loan_ids(self, made: Loans) -> list[str]:
        ids = self._borrowers.ids
        return [f"{ids[who]}-{count:03d}" for who, count in zip(made.who.tolist(), made.ordinal.tolist(), strict=True)]


def _names(group: Group, borrowers: Borrowers) -> dict[str, list[str]]:
    """The names behind the codes of every table's columns."""
    return {
        "borrower_id": borrowers.ids,
        "market": [group.code],
        "gender": list(GENDERS),
        "age_band": list(AGE_BANDS),
        "region": list(group.market.regions),
        "direction": list(DIRECTIONS),
        "channel": list(CHANNELS),
        "model": list(MODELS),
        "os": list(SYSTEMS),
        "app_version": list(APP_VERSIONS),
    }
