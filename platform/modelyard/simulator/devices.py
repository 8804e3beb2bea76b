"""Which devices borrowers hold: one when they join, another now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.simulator.arrivals import draw_available
from modelyard.simulator.calendar import DAY, Calendar, Ints
from modelyard.simulator.wallets import draw_seconds

if TYPE_CHECKING:
    from modelyard.simulator.borrowers import Borrowers
    from modelyard.simulator.markets import Market

MODELS = (
    "tecno_spark", "infinix_hot", "samsung_a05", "itel_a70", "xiaomi_redmi", "samsung_a15", "nokia_c32", "iphone_se",
)  # fmt: skip
SYSTEMS = ("android_12", "android_13", "android_14", "ios_17")
APP_VERSIONS = tuple(f"{major}.{minor}" for major in range(3, 8) for minor in range(10))

_IPHONE, _IOS = MODELS.index("iphone_se"), SYSTEMS.index("ios_17")
_MODELS_DRAWN = np.repeat(np.arange(len(MODELS)), [24, 19, 16, 14, 12, 8, 4, 3])
_SYSTEMS_DRAWN = np.repeat(np.arange(_IOS), [30, 45, 25])
_DAYS_A_VERSION = 21
"""Days after which a new version of the app comes out."""
_CHANGE = 1 / 150
"""The daily chance to change the device, for somebody neither restless nor settled."""


@dataclass(frozen=True)
class Devices:
    """Devices as arrays of equal length: whose, when first seen, when that was known, and codes of what they are."""

    who: Ints
    seen: Ints
    available: Ints
    model: Ints
    os: Ints
    app_version: Ints
    is_rooted: Ints


def first_devices(rng: np.random.Generator, borrowers: Borrowers, calendar: Calendar) -> Devices:
    """The devices with which borrowers join."""
    return _draw_devices(rng, borrowers, calendar, np.arange(len(borrowers)), borrowers.registered_at)


def changed_devices(
    rng: np.random.Generator, borrowers: Borrowers, calendar: Calendar, market: Market, day: int
) -> Devices:
    """The devices to which borrowers change on a day."""
    who = np.flatnonzero(rng.random(len(borrowers)) < _CHANGE * borrowers.restless * borrowers.present(day))
    seen = calendar.moment(day, draw_seconds(rng, len(who)), market.zone)
    return _draw_devices(rng, borrowers, calendar, who, seen)


def _draw_devices(rng: np.random.Generator, borrowers: Borrowers, calendar: Calendar, who: Ints, seen: Ints) -> Devices:
    model = rng.choice(_MODELS_DRAWN, len(who))
    android = model != _IPHONE
    system = np.where(android, rng.choice(_SYSTEMS_DRAWN, len(who)), _IOS)
    rooted = (rng.random(len(who)) < borrowers.tampering[who]) & android
    # People are up to four versions behind the newest, which has its last number at the end.
    behind = (calendar.end - seen) // (_DAYS_A_VERSION * DAY) + rng.integers(0, 5, len(who))
    version = np.maximum(len(APP_VERSIONS) - 1 - behind, 0)
    return Devices(who, seen, draw_available(rng, seen), model, system, version, rooted.astype(np.int64))
