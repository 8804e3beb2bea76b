"""How values are written for people."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard.cli.formats import local_time, metrics_text
from modelyard.registry.records import Estimate


def test_an_instant_is_said_in_its_timezone_with_its_name() -> None:
    instant = datetime(2026, 6, 30, 21, tzinfo=UTC)
    assert local_time(instant) == "2026-06-30 21:00 UTC"
    assert local_time(instant, "Africa/Nairobi") == "2026-07-01 00:00 EAT"
    assert local_time(None) == ""


def test_a_metric_has_its_interval_where_there_is_one() -> None:
    metrics = {"roc_auc": Estimate(value=0.75, low=0.7, high=0.8), "rows": Estimate(value=2)}
    assert metrics_text(metrics) == "roc_auc 0.7500 (0.7000 – 0.8000), rows 2.0000"
    assert metrics_text({}) == ""
