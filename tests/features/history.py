"""A small history of transactions, and the feature set over it."""

from typing import Any

from modelyard.config.definitions import FeatureSetDefinition
from modelyard.features.materialise import MaterialiseResult, materialise
from tests.features.builders import Place, days, feature_set, pins, source, utc

TRANSACTIONS = source(
    "transactions", {"who": "string", "at": "timestamp", "known": "timestamp", "amount": "double", "kind": "string"},
    timestamp="at", available="known",
)  # fmt: skip
DEVICES = source(
    "devices", {"who": "string", "seen": "timestamp", "os": "string", "rooted": "boolean"}, timestamp="seen"
)
COUNT = [{"name": "n", "how": "count", "window": "2d"}]
JANUARY = days("2026-01-03", "2026-01-06")


def transaction(who: str | None, at: str, amount: float | None = 1.0, known: str | None = None) -> dict[str, Any]:
    return {"who": who, "at": utc(at), "known": utc(known or at), "amount": amount, "kind": "in"}


ROWS = [
    transaction("a", "2026-01-01T10:00", 4.0),
    transaction("a", "2026-01-02T10:00", 2.0, known="2026-01-03T12:00"),
    transaction("b", "2026-01-02T23:59", None),
]


def run(place: Place, definition: FeatureSetDefinition, **options: Any) -> tuple[MaterialiseResult, ...]:
    wanted = options.pop("days", JANUARY)
    return materialise(definition, pins(definition), wanted, engine=place.engine, datasets=place.datasets, **options)


def simple(**content: Any) -> FeatureSetDefinition:
    said = {"entity": "who", "source": "transactions", "aggregations": COUNT, "ttl": "1d"}
    return feature_set("history", [TRANSACTIONS], **{**said, **content})
