"""Entries: every kind of them is one that both stores know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.dynamodb import entries as in_dynamodb
from modelyard.registry.entries import KINDS
from modelyard.registry.sqlite import entries as in_sqlite

if TYPE_CHECKING:
    from modelyard.registry.dynamodb.writes import Item


def test_sqlite_reads_and_loads_every_kind() -> None:
    assert {*in_sqlite._QUERIES, "event"} == {*KINDS}
    assert {*in_sqlite._LOADERS} == {*KINDS}


def test_dynamodb_reads_and_loads_every_kind() -> None:
    item: Item = dict.fromkeys(("counter", "latest", "promotions", "archived", "current", "fingerprint", "number"), 1)
    pointers = {make("name", "place", {**item, "answer": ""}).kind for make in in_dynamodb._POINTERS.values()}
    assert {*in_dynamodb._RECORDS.values(), *pointers, "event"} == {*KINDS}
    assert {*in_dynamodb._ITEMS, "run", "event"} == {*KINDS}
