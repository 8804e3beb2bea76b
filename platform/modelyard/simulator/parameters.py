"""What a simulation is asked for, checked. Equal parameters make equal data."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from modelyard.errors import UsageError

EARLIEST, LATEST = date(1970, 1, 1), date(2200, 1, 1)
"""Dates that every reader of Parquet can hold, with room for what happens after the end."""

_MARKET = re.compile(r"[a-z]{2,8}")


@dataclass(frozen=True, slots=True)
class LenderParameters:
    """A simulated lender.

    Args:
        end: The midnight before which everything happens.
        markets: Market codes; kept in the order of the alphabet.
        days: How many days before `end` the transactions begin.
        borrowers: How many borrowers each market has.
        seed: Decides every draw. A market's borrowers do not depend on the other markets.
        timezone: Whose midnights are the instants of history, as in a feature set with `every: 1d`.

    Raises:
        UsageError: One of them makes no sense.
    """

    end: date
    markets: tuple[str, ...] = ("gh", "ke", "ug")
    days: int = 180
    borrowers: int = 3000
    seed: int = 0
    timezone: str = "Africa/Nairobi"

    def __post_init__(self) -> None:
        _check_markets(self.markets)
        object.__setattr__(self, "markets", tuple(sorted(self.markets)))
        for name, least in (("days", 1), ("borrowers", 1), ("seed", 0)):
            if getattr(self, name) < least:
                reason = f"--{name} is {getattr(self, name)}"
                raise UsageError(reason, f"the least is {least}")
        _check_timezone(self.timezone)
        _check_dates(self.end, self.days)

    def content(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        return asdict(self) | {"end": self.end.isoformat(), "markets": list(self.markets)}


def parse_end(text: str) -> date:
    """A day written as 2026-01-31.

    Raises:
        UsageError: It is written otherwise, or there is no such day.
    """
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is None:
            reason = "not written as YYYY-MM-DD"
            raise ValueError(reason)
        return date.fromisoformat(text)
    except ValueError as error:
        reason = f"--end is '{text}', which is not a date: {error}"
        raise UsageError(reason, "write it as 2026-01-31") from error


def parse_markets(text: str) -> tuple[str, ...]:
    """Market codes with commas between them; what they look like is checked with the rest."""
    return tuple(code.strip() for code in text.split(","))


def _check_markets(markets: tuple[str, ...]) -> None:
    for code in markets:
        if _MARKET.fullmatch(code) is None:
            reason = f"--markets holds '{code}'"
            raise UsageError(reason, "a market is two to eight lower-case letters: ke,gh,ug")
        if markets.count(code) > 1:
            reason = f"--markets holds '{code}' more than once"
            raise UsageError(reason, "name each market once")
    if not markets:
        reason = "--markets is empty"
        raise UsageError(reason, "name at least one market: ke,gh,ug")


def _check_timezone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        hint = "use a name of the IANA database, such as Africa/Nairobi or UTC"
        reason = f"--timezone is '{timezone}', which is not known"
        raise UsageError(reason, hint) from error


def _check_dates(end: date, days: int) -> None:
    if not EARLIEST < end <= LATEST:
        reason = f"--end is {end}"
        raise UsageError(reason, f"it lies after {EARLIEST} and not after {LATEST}")
    if days > (end - EARLIEST) // timedelta(days=1):
        reason = f"--days is {days}, which begins before {EARLIEST}"
        raise UsageError(reason, "ask for fewer days")
