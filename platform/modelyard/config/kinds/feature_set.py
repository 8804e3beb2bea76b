"""FeatureSet: one definition of features, from which every value of them comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from modelyard.config.kinds.base import (
    TEMPLATE_FILE,
    Column,
    Document,
    Duration,
    Keys,
    Many,
    Name,
    Owner,
    Settings,
    Sql,
    Timezone,
)
from modelyard.config.kinds.source import Expectation

Aggregator = Literal["count", "count_distinct", "sum", "avg", "min", "max", "stddev", "last"]


class Aggregation(Settings):
    """One number per entity over a window of the source's rows that ends at the instant."""

    name: Name
    """The feature's name."""
    of: Column | None = None
    """The column that is aggregated; `count` alone needs none."""
    how: Aggregator
    """The aggregate: count, count_distinct, sum, avg, min, max, stddev (of a sample), or last (the latest value)."""
    window: Duration
    """How far back rows count: those with instant - window <= timestamp < instant."""
    where: Sql | None = None
    """Rows that count, as a SQL condition on the source's columns."""


class Expression(Settings):
    """A feature computed from the other features of the same row."""

    name: Name
    """The feature's name."""
    sql: Sql
    """A scalar SQL expression over the set's other features, in the order in which they are written."""


class FeatureSet(Document):
    """Features of an entity: aggregations, a templated query, expressions; every value of them comes from here."""

    kind: Literal["FeatureSet"]
    """The kind of document."""
    owner: Owner | None = None
    """The team that owns it; the project's default owner unless said."""
    entity: Keys
    """The column, or columns, that say whose features these are."""
    timezone: Timezone | None = None
    """The timezone whose midnights its instants are counted from; the project's unless said."""
    source: Name | None = None
    """The source whose rows the aggregations run over."""
    every: Duration = Field(default=timedelta(days=1))
    """When values exist: every so many days at midnight, or every part of a day that divides it, from midnight on."""
    aggregations: Many[Aggregation] = ()
    """Windowed aggregates over the source."""
    query: str | None = Field(default=None, pattern=TEMPLATE_FILE, examples=["borrower_history.sql.j2"])
    """A file beside the document with one templated SELECT; its columns join the others on the entity."""
    expressions: Many[Expression] = ()
    """Features computed from the row's other features."""
    expectations: Many[Expectation] = ()
    """What must hold of a partition before it is published."""
    ttl: Duration = Field(default=timedelta(days=1))
    """How old a value may be when it is used."""
