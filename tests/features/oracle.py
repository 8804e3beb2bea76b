"""The rules of features, read as naively as they can be: no engine, no sorting, no joins."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.config.definitions import FeatureSetDefinition

Row = dict[str, Any]

AGGREGATES: dict[str, Callable[[Sequence[Row], str], Any]] = {
    "count": lambda found, of: len([row for row in found if row[of] is not None]),
    "count_distinct": lambda found, of: len({row[of] for row in found} - {None}),
    "sum": lambda found, of: sum(there(found, of)) if there(found, of) else None,
    "avg": lambda found, of: statistics.fmean(there(found, of)) if there(found, of) else None,
    "min": lambda found, of: min(there(found, of), default=None),
    "max": lambda found, of: max(there(found, of), default=None),
    "stddev": lambda found, of: statistics.stdev(there(found, of)) if len(there(found, of)) > 1 else None,
    "last": lambda found, of: max(
        ((row["at"], row["known"], row[of]) for row in found if row[of] is not None), default=(None,)
    )[-1],
}


def there(found: Sequence[Row], of: str) -> list[Any]:
    return [row[of] for row in found if row[of] is not None]


def instants(day: date, every: timedelta, zone: str) -> list[datetime]:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if every >= timedelta(days=1):
        return [start] if day.toordinal() % every.days == 0 else []
    tomorrow = day + timedelta(days=1)
    end = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return [start + every * step for step in range(100) if start + every * step < end]


def values_on(definition: FeatureSetDefinition, data: Sequence[Row], day: date) -> list[Row]:
    """The partition of a day."""
    found = []
    for instant in instants(day, definition.document.every, definition.timezone):
        found += values_at(definition, data, instant)
    return found


def values_at(definition: FeatureSetDefinition, data: Sequence[Row], instant: datetime) -> list[Row]:
    """The values at an instant; an aggregation with a condition counts rows of kind `in`."""
    document = definition.document
    horizon = max(document.ttl, *(one.window for one in document.aggregations))
    found = []
    known = [
        row
        for row in data
        if row["who"] is not None and row["at"] is not None and row["known"] is not None
        and row["at"] < instant and row["known"] <= instant
    ]  # fmt: skip
    for who in sorted({row["who"] for row in known if row["at"] >= instant - horizon}):
        values: Row = {"who": who, "as_of": instant}
        for one in document.aggregations:
            counts = [row for row in known if row["who"] == who and row["at"] >= instant - one.window]
            if one.where is not None:
                counts = [row for row in counts if row["kind"] == "in"]
            if one.of is None:
                values[one.name] = len(counts)
            else:
                values[one.name] = AGGREGATES[one.how](counts, one.of)
        found.append(values)
    return found


def close(left: Any, right: Any) -> bool:
    """Whether values are equal, but for the rounding of sums."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return bool(left == right)


def assert_equal(found: Sequence[Row], expected: Sequence[Row], *keys: str) -> None:
    """Rows are equal, in the same order."""
    assert [[row[key] for key in keys] for row in found] == [[row[key] for key in keys] for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert all(close(one[name], other[name]) for name in one), (one, other)
