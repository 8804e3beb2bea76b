"""What all rules stand on: the stores, who acts, and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.errors import NotFound
from modelyard.registry.checks import check_name
from modelyard.registry.documents import Documents
from modelyard.registry.metadata import Happening, Stale

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.artifacts import ArtifactStore
    from modelyard.registry.metadata import MetadataStore
    from modelyard.registry.records import ModelRecord, Run

T = TypeVar("T")

TRIES = 32
"""How often a decision is taken anew when others change what it hangs on; each loss means that another one won."""


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


class Rules:
    """Rules over a metadata store and an artifact store.

    Args:
        metadata: Where records live.
        artifacts: Where bytes live.
        actor: Who is named in the history.
        clock: The time. Order hangs on sequences alone; a wrong clock makes wrong dates, and nothing else.
    """

    def __init__(
        self,
        metadata: MetadataStore,
        artifacts: ArtifactStore,
        *,
        actor: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._metadata = metadata
        self._artifacts = artifacts
        self._documents = Documents(artifacts)
        self._actor = actor
        self._clock = clock

    def _happening(self, subject: str, kind: str, details: dict[str, Any]) -> Happening:
        return Happening(subject=subject, type=kind, at=self._clock(), by=self._actor, details=details)

    def _known_model(self, name: str) -> ModelRecord:
        record = self._metadata.model(check_name(name))
        if record is None:
            msg = f"there is no model `{name}`"
            raise NotFound(msg, "`modelyard models` lists them")
        return record

    def _whole_model(self, record: ModelRecord) -> ModelRecord:
        definition = self._documents.fetch(record.definition)
        return record if definition is record.definition else record.model_copy(update={"definition": definition})

    def _whole_run(self, run: Run) -> Run:
        spec = self._documents.fetch(run.spec)
        return run if spec is run.spec else run.model_copy(update={"spec": spec})


def settled(decide: Callable[[], T]) -> T:
    """The outcome of a decision that is taken anew whenever somebody else was quicker.

    For decisions that stay right whatever the others did, such as archiving; a promotion is not one of them.

    Raises:
        Stale: Others were quicker every time.
    """
    for _ in range(TRIES - 1):
        try:
            return decide()
        except Stale:
            continue
    return decide()
