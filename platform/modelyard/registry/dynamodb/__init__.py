"""The metadata store in one DynamoDB table: for a company, any number of services at once.

`keys.py` says where everything lies, `writes.py` how a write with its conditions is written down, `table.py` reads,
transactions and retries, `base.py` lists, and events with every write; and one module for each subject its access
patterns, documented in `modelyard.registry.metadata`.
"""

from __future__ import annotations

from typing import Any

from modelyard.registry.dynamodb.entries import EntryTables
from modelyard.registry.dynamodb.feature_sets import FeatureSetTables
from modelyard.registry.dynamodb.models import ModelTables
from modelyard.registry.dynamodb.promotions import PromotionTables
from modelyard.registry.dynamodb.runs import RunTables
from modelyard.registry.dynamodb.table import Table
from modelyard.registry.dynamodb.versions import VersionTables
from modelyard.retries import DEADLINE


class DynamoMetadata(ModelTables, VersionTables, PromotionTables, FeatureSetTables, RunTables, EntryTables):
    """The registry's records in a DynamoDB table.

    Args:
        table: The table's name; `modelyard registry create-table` makes it.
        client: A client of `dynamodb`; one is made unless given.
        deadline: Seconds until a call that keeps failing in passing raises `Unavailable`.
    """

    def __init__(self, table: str, *, client: Any = None, deadline: float = DEADLINE) -> None:
        super().__init__(Table(table, client=client, deadline=deadline))

    def ping(self) -> None:
        self._table.ping()

    def require(self) -> None:
        self._table.check()

    def check(self) -> list[str]:
        self._table.check()  # DynamoDB sees to its own storage
        return []

    def close(self) -> None:
        self._table.client.close()
