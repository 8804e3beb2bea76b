"""What is compiled, what it comes from, and which versions it has."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.errors import InvalidData, NotFound
from modelyard.features.compile import compile_set, ordered
from modelyard.features.engine import SourceRows
from modelyard.features.lineage import lineage_of
from modelyard.features.materialise import materialise
from modelyard.features.registration import find_pins, register_feature_sets, registered_definition
from tests.features.builders import Place, days, feature_set, pins, source, utc
from tests.registries import open_registry

TRANSACTIONS = source(
    "transactions", {"who": "string", "at": "timestamp", "amount": "double", "kind": "string"}, timestamp="at"
)
DEVICES = source("devices", {"who": "string", "seen": "timestamp", "os": "string"}, timestamp="seen")
QUERY = """
WITH newest AS (
  SELECT who, os, seen FROM {{ source('devices') }} QUALIFY row_number() OVER (PARTITION BY who ORDER BY seen) = 1
)
SELECT
  who, os, upper(os) || '!' AS loud, seen > {{ as_of }} - INTERVAL 1 DAY AS is_new, n * 2 AS twice, count(*) AS rows
FROM newest LEFT JOIN {{ ref('base') }} USING (who) GROUP BY ALL
"""

BASE = feature_set(
    "base", [TRANSACTIONS], entity="who", source="transactions",
    aggregations=[{"name": "n", "how": "count", "window": "1d", "where": "kind = 'in'"}],
)  # fmt: skip
EVERYTHING = feature_set(
    "everything", [TRANSACTIONS, DEVICES], query=QUERY, refs=[BASE], entity="who", source="transactions", ttl="2d",
    aggregations=[{"name": "spent", "how": "sum", "of": "amount", "window": "12h"},
                  {"name": "n_all", "how": "count", "window": "500ms"}],
    expressions=[{"name": "ratio", "sql": "spent / nullif(twice, 0)"}, {"name": "always", "sql": "1 + 1"}],
)  # fmt: skip


def test_lineage_goes_through_queries_references_and_expressions() -> None:
    assert lineage_of(compile_set(EVERYTHING)) == {
        "spent": ("transactions.amount", "transactions.at"),
        "n_all": ("transactions.at",),
        "os": ("devices.os",),
        "loud": ("devices.os",),
        "is_new": ("devices.seen",),
        "twice": ("transactions.at", "transactions.kind"),
        "rows": ("devices.*", "transactions.at", "transactions.kind"),
        "ratio": ("transactions.amount", "transactions.at", "transactions.kind"),
        "always": (),
    }


def test_a_star_is_written_out() -> None:
    query = "SELECT * EXCLUDE (seen), 1 AS one FROM {{ source('devices') }}"
    compiled = compile_set(feature_set("stars", [DEVICES], query=query, entity="who"))
    assert compiled.features == ("os", "one")
    assert lineage_of(compiled) == {"os": ("devices.os",), "one": ("devices.*",)}
    nested = "WITH part AS (SELECT * FROM {{ source('devices') }}) SELECT p.*, 'x' AS x FROM part p"
    assert compile_set(feature_set("stars", [DEVICES], query=nested, entity="who")).features == ("seen", "os", "x")


def test_the_printed_statement_computes_what_is_published(place: Place) -> None:
    place.write(TRANSACTIONS, [{"who": "a", "at": utc("2026-01-02T20:00"), "amount": 3.0, "kind": "in"}])
    place.write(DEVICES, [{"who": "a", "seen": utc("2026-01-02T20:00"), "os": "x"},
                          {"who": "b", "seen": utc("2026-01-01T20:00"), "os": "y"}])  # fmt: skip
    definition = feature_set(
        "both", [TRANSACTIONS, DEVICES], entity="who", source="transactions",
        query="SELECT who, max(os) AS os FROM {{ source('devices') }} GROUP BY who",
        aggregations=[{"name": "spent", "how": "sum", "of": "amount", "window": "12h"}],
        expressions=[{"name": "double", "sql": "spent * 2"}],
    )  # fmt: skip
    (day,) = days("2026-01-03", "2026-01-03")
    materialise(definition, pins(definition), [day], engine=place.engine, datasets=place.datasets)
    relations = {"rows:transactions": SourceRows(TRANSACTIONS), "rows:devices": SourceRows(DEVICES)}
    with place.engine.session(relations) as session:
        found = session.fetch(compile_set(definition).statement, {"as_of": utc("2026-01-03")}).to_pylist()
    assert sorted(found, key=lambda row: str(row["who"])) == place.values(definition, day)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT nothing.* FROM {{ source('devices') }}", "its columns cannot be told"),
        ("SELECT *, * FROM {{ source('devices') }}", "two of its columns have one name"),
    ],
)
def test_a_star_that_cannot_be_told_is_refused(query: str, reason: str) -> None:
    with pytest.raises(InvalidData, match=f"feature set `stars`, query: {reason}"):
        compile_set(feature_set("stars", [DEVICES], query=query, entity="who"))


def test_what_is_referred_to_comes_first_and_once() -> None:
    other = feature_set("other", [], query="SELECT who, n FROM {{ ref('base') }}", refs=[BASE], entity="who")
    assert [one.name for one in ordered([EVERYTHING, other, BASE])] == ["base", "everything", "other"]


def test_versions_are_registered_with_lineage_and_found_again(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    with pytest.raises(NotFound):
        find_pins([EVERYTHING], registry)
    first = register_feature_sets([EVERYTHING], registry, "tests")
    assert {name: pin.version for name, pin in first.items()} == {"base": 1, "everything": 1}
    assert registry.feature_set("everything").lineage["ratio"] == (
        "transactions.amount", "transactions.at", "transactions.kind",
    )  # fmt: skip
    assert register_feature_sets([EVERYTHING], registry, "tests") == first
    changed = EVERYTHING.model_copy(update={"query": QUERY.replace("'!'", "'?'")})
    second = register_feature_sets([changed], registry, "tests")
    assert (second["base"], second["everything"].version) == (first["base"], 2)
    assert find_pins([EVERYTHING], registry) == first
    unknown = EVERYTHING.model_copy(update={"query": QUERY.replace("'!'", "'.'")})
    with pytest.raises(NotFound, match="`everything` is not registered as it is defined"):
        find_pins([unknown], registry)


def test_what_a_set_refers_to_lies_where_its_own_newest_version_says(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    register_feature_sets([EVERYTHING], registry, "tests")
    base = registered_definition(registry, "base", 1)
    moved = {name: source.model_copy(update={"path": "moved.parquet"}) for name, source in base.sources.items()}
    register_feature_sets([base.model_copy(update={"sources": moved})], registry, "tests")
    (ref,) = registered_definition(registry, "everything", 1).refs.values()
    assert {source.path for source in ref.sources.values()} == {"moved.parquet"}
    assert registered_definition(registry, "everything", 1).digest == EVERYTHING.digest


def test_a_definition_that_does_not_compile_is_not_registered(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    wrong: dict[str, Any] = {"entity": "who", "source": "transactions"}
    aggregations = [{"name": "n", "how": "count", "window": "1d", "where": "now() > at"}]
    definition = feature_set("wrong", [TRANSACTIONS], aggregations=aggregations, **wrong)
    with pytest.raises(InvalidData, match="another value each time"):
        register_feature_sets([definition], registry, "tests")
    assert registry.feature_sets().items == ()
