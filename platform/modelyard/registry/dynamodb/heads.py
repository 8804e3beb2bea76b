"""A model's head: its counter and pointers, in a small item beside the record that every claim and promotion rewrites.

`moves` goes up with every change of what `latest` hangs on, so that whoever looks for the greatest READY version and
writes it down is refused where another one came or went meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.writes import If, Write

if TYPE_CHECKING:
    from modelyard.registry.dynamodb.table import Table
    from modelyard.registry.dynamodb.writes import Item
    from modelyard.registry.records import Promotion

BLANK: Item = {"counter": 0, "latest": 0, "promotions": 0, "moves": 0, "archived": False}
"""The head of a new model. `latest` is 0 where no version is READY."""

LIVING = If("archived", "=", False)


@dataclass(frozen=True)
class ModelHead:
    """A model's head, as it was read."""

    model: str
    latest: int = 0
    moves: int = 0

    def made_ready(self, number: int, write: Write | None = None) -> Write:
        """The change of the head that goes with a version that becomes READY.

        Conditioned on `latest` alone and not on `moves`, so that many versions may be completed at once.

        Args:
            number: The version.
            write: What else changes in the head.
        """
        write = write or Write("Update", head_key(self.model))
        newest = number > self.latest
        content = {**write.content, "latest": number} if newest else write.content
        same = If("latest", "<" if newest else ">=", number)
        return replace(write, content=content, add={"moves": 1}, own=(same,))

    def latest_is(self, number: int, write: Write) -> Write:
        """The change of the head that makes a version the latest, if nothing came or went since the head was read."""
        same = If("moves", "=", self.moves)
        content = {**write.content, "latest": number}
        return replace(write, action="Update", content=content, add={"moves": 1}, own=(same,))


def head_key(model: str) -> keys.Key:
    """Where a model's head lies."""
    return (keys.model(model), keys.HEAD)


def read_head(table: Table, model: str) -> ModelHead | None:
    """A model's head; None where there is no such model."""
    item = table.get(head_key(model))
    return None if item is None else ModelHead(model, int(item["latest"]), int(item["moves"]))


def with_fact(fact: Promotion, content: Item | None = None) -> Write:
    """The change of a head that goes with a fact, if it follows the last one.

    Args:
        fact: The fact.
        content: What else changes.
    """
    last = If("promotions", "=", fact.sequence - 1)
    changed: Item = {**(content or {}), "promotions": fact.sequence}
    stale = f"what is live of `{fact.model}` has changed meanwhile"
    return Write("Update", head_key(fact.model), changed, when=(last, LIVING), stale=stale)
