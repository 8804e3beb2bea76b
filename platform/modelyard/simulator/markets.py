"""What differs between markets. One more market is one more entry of `MARKETS`; a code without one gets `OTHER`."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Market:
    """A market of the lender.

    Args:
        timezone: Whose clocks people live by.
        unit: The first loan, in the market's currency; incomes scale with it.
        activity: Transactions of a middling borrower in a day.
        regions: Regions with their shares of the borrowers.
        paydays: Days of the month on which salaries come; in shorter months, the last day.
        base: Log-odds of default where nothing speaks for or against.
        contrast: How strongly history decides; the greater, the better the best model.
    """

    timezone: str
    unit: float
    activity: float
    regions: dict[str, float]
    paydays: tuple[int, ...]
    base: float
    contrast: float

    @property
    def zone(self) -> ZoneInfo:
        """The timezone itself."""
        return ZoneInfo(self.timezone)


OTHER = Market(
    timezone="UTC",
    unit=100,
    activity=2.0,
    regions={"north": 0.25, "east": 0.25, "south": 0.25, "west": 0.25},
    paydays=(25, 31),
    base=-2.6,
    contrast=1.0,
)

MARKETS = {
    "ke": Market(
        timezone="Africa/Nairobi",
        unit=1000,
        activity=2.4,
        regions={"nairobi": 0.34, "rift_valley": 0.22, "coast": 0.16, "western": 0.15, "central": 0.13},
        paydays=(28, 31),
        base=-2.6,
        contrast=1.0,
    ),
    "gh": Market(
        timezone="Africa/Accra",
        unit=100,
        activity=2.0,
        regions={"greater_accra": 0.38, "ashanti": 0.30, "northern": 0.17, "western": 0.15},
        paydays=(25, 31),
        base=-2.55,
        contrast=0.93,
    ),
    "ug": Market(
        timezone="Africa/Kampala",
        unit=30_000,
        activity=1.8,
        regions={"central": 0.42, "western": 0.22, "eastern": 0.21, "northern": 0.15},
        paydays=(28, 31),
        base=-2.55,
        contrast=0.97,
    ),
}


def market_named(code: str) -> Market:
    """The market with this code, or a plain one where the code says nothing."""
    return MARKETS.get(code, OTHER)
