"""The metadata store, as the registry's rules see it: a closed list of access patterns.

Each method is one read or one transaction that a single table with ordered keys can do: a get, a query over the keys of
one owner in order, or a conditional write of a few items. There are no free filters and no totals; order holds within
one owner (a model, a feature set, a subject); page tokens are the store's own business.

Rules decide; a store only checks. A write says what it expects to find, and where that is not so the store raises
`Stale` and changes nothing: whoever asked reads again and decides again. Every write is one transaction with the events
that tell of it, and is durable when the call returns; a process that dies during the call leaves all of it or nothing.

One more back-end is one more module beside `sqlite/`, a line in `wiring`, and the contract tests run on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from modelyard.registry.chains import Happening, Head, Link
    from modelyard.registry.entries import Entry
    from modelyard.registry.records import (
        ChangePage,
        Event,
        FeatureSetVersion,
        ModelRecord,
        ModelVersion,
        Page,
        Promotion,
        Run,
        RunProgress,
        VersionState,
    )


class Stale(Conflict):
    """What a write expected is not what the store holds (any more); nothing was changed."""


@dataclass(frozen=True)
class KeyRecord:
    """What an idempotency key was used for, so that asking again gets the same answer."""

    key: str
    fingerprint: str
    """The digest of the request: another one with the same key is a mistake."""
    answer: str
    """The original answer."""


class MetadataStore(Protocol):
    """Where records live."""

    # Models ----------------------------------------------------------------------------------------------------

    def model(self, name: str) -> ModelRecord | None:
        """A model."""

    def models(self, *, page: str | None, limit: int) -> Page[ModelRecord]:
        """All models by name."""

    def put_model(
        self,
        record: ModelRecord,
        *,
        expected_revision: int,
        run: Run | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        """Write a model's definition and queue a run with it; `latest` and `promotions` stay as the store has them.

        Args:
            record: The model, with its new revision.
            expected_revision: The revision that it has now; 0 where it is not there yet.
            run: The run, unless there is none, or it is there already.
            uses: The subjects that the definition depends on; they are remembered beside earlier ones.
            happenings: The events.

        Raises:
            Stale: The revision is another one, or the run is there already.
        """

    def dependents(self, subject: str, *, page: str | None, limit: int) -> Page[str]:
        """The subjects that have ever depended on one, in order: who uses a source, or a feature set."""

    # Versions --------------------------------------------------------------------------------------------------

    def version(self, model: str, number: int) -> ModelVersion | None:
        """A version in any state."""

    def versions(self, model: str, *, page: str | None, limit: int) -> Page[ModelVersion]:
        """A model's versions, the newest first, PENDING ones left out."""

    def latest_version(self, model: str) -> ModelVersion | None:
        """The READY version with the greatest number."""

    def version_for_request(self, model: str, request: str) -> ModelVersion | None:
        """The READY or ARCHIVED version with the greatest number that was made for a request."""

    def claim_key(self, model: str, key: str) -> KeyRecord | None:
        """What a claim's idempotency key was used for; its answer is the number."""

    def add_claim(self, model: str, key: str, fingerprint: str, make: Callable[[int], ModelVersion]) -> ModelVersion:
        """Take the model's next number, and write the PENDING version that `make` makes of it.

        The counter never goes back; where the write fails after it went up, numbers have a gap. The one write that may
        be undone by a loss of power: what it promises is worth nothing before the version is complete.

        Raises:
            Stale: The model is archived, or the key is used already.
        """

    def complete_version(self, version: ModelVersion, *, run: Run | None, happenings: Sequence[Happening]) -> None:
        """PENDING → READY; the model's `latest` goes up to its number, and what it pins is remembered as used.

        Args:
            version: The version.
            run: The run that makes it, as it was read; None where no run does.
            happenings: The events.

        Raises:
            Stale: It is not PENDING, or the run's sequence is another one.
        """

    def retire_version(
        self, version: ModelVersion, *, expected: VersionState, promotions: int, happenings: Sequence[Happening]
    ) -> None:
        """READY → ARCHIVED or ARCHIVED → DELETED; `latest` goes to the greatest READY version that is left.

        Raises:
            Stale: Its state is not the expected one, the model's last promotion is not `promotions`, or it was approved
                since it was read.
        """

    def approve_version(
        self, version: ModelVersion, *, expected: VersionState, happenings: Sequence[Happening]
    ) -> None:
        """Write who approved a version, and when.

        Raises:
            Stale: Its state is not the expected one, or it is approved already.
        """

    def drop_claim(self, version: ModelVersion) -> None:
        """Remove a PENDING version and its key.

        Raises:
            Stale: It is not PENDING.
        """

    def pending_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        """PENDING versions that were claimed before an instant, the oldest first."""

    def archived_versions(self, before: datetime, *, page: str | None, limit: int) -> Page[ModelVersion]:
        """ARCHIVED versions that were archived before an instant, the oldest first."""

    # What is live ----------------------------------------------------------------------------------------------

    def promotions(self, model: str) -> tuple[Promotion, ...]:
        """Every fact of a model, in the order in which they were recorded."""

    def effective_promotions(
        self, model: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> tuple[Promotion, ...]:
        """The facts that count and begin within [since, until], the latest start first, at most `limit`."""

    def promotion_key(self, model: str, key: str) -> KeyRecord | None:
        """What a promotion's idempotency key was used for; its answer is the fact as JSON."""

    def add_promotion(
        self,
        fact: Promotion,
        *,
        supersedes: Sequence[int],
        revives: ModelVersion | None,
        key: KeyRecord | None,
        happenings: Sequence[Happening],
    ) -> None:
        """Record a fact, after exactly the one before it.

        Args:
            fact: The fact.
            supersedes: The sequences of facts that will not take effect.
            revives: The fact's version, READY again, where it is ARCHIVED; not where it was approved since it was read.
            key: The idempotency record.
            happenings: The events.

        Raises:
            Stale: The model's last promotion is not the one before `fact`, the model is archived, the key is used, or
                the version's state is not READY (ARCHIVED, where it is to be revived).
        """

    def archive_model(
        self, record: ModelRecord, fact: Promotion, *, supersedes: Sequence[int], happenings: Sequence[Happening]
    ) -> None:
        """Mark a model as archived and record the fact that nothing is live.

        Raises:
            Stale: The model's revision is not the one before the record's, or its last promotion not the one before
                `fact`.
        """

    # Feature sets ----------------------------------------------------------------------------------------------

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion | None:
        """A version of a feature set; the one that was registered last, unless said."""

    def feature_set_for_digest(self, name: str, digest: str) -> FeatureSetVersion | None:
        """The version with a digest."""

    def feature_sets(self, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        """The version of each feature set that was registered last, by name."""

    def feature_set_versions(self, name: str, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        """The versions of a feature set, the oldest first."""

    def add_feature_set(
        self,
        name: str,
        digest: str,
        make: Callable[[int], FeatureSetVersion],
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        tell: Callable[[FeatureSetVersion], Happening],
    ) -> FeatureSetVersion:
        """Take the feature set's next number, and write the version that `make` makes of it as the last registered.

        Args:
            name: The feature set.
            digest: The version's digest.
            make: The version with a number.
            expected: The version that was registered last, as it was read; None where there was none.
            uses: The subjects that the definition depends on.
            tell: The event of a version.

        Raises:
            Stale: The last registered version is not the expected one, or one with this digest is there already.
        """

    def put_feature_set(
        self,
        version: FeatureSetVersion,
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        """Replace what is recorded of a version whose values stay the same, and make it the last registered.

        Args:
            version: The version.
            expected: The version that was registered last, as it was read.
            uses: The subjects that the definition depends on.
            happenings: The events.

        Raises:
            Stale: The last registered version is not the expected one.
        """

    # Runs ------------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> Run | None:
        """A run."""

    def runs(self, *, page: str | None, limit: int) -> Page[Run]:
        """Runs, the newest first."""

    def model_runs(self, model: str, *, page: str | None, limit: int) -> Page[Run]:
        """A model's runs, the newest first."""

    def open_runs(self, *, page: str | None, limit: int) -> Page[Run]:
        """Runs that are not terminal, the oldest first."""

    def finished_runs(self, before: datetime, *, page: str | None, limit: int) -> Page[Run]:
        """Terminal runs that finished before an instant, the oldest first."""

    def add_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        """Write a run.

        Raises:
            Stale: One with its id is there already, or its model is archived.
        """

    def replace_run(self, run: Run, *, happenings: Sequence[Happening]) -> None:
        """Write a run over the one whose sequence is one less.

        Raises:
            Stale: The run's sequence is another one.
        """

    def put_run_progress(self, progress: RunProgress) -> None:
        """Keep how far a run has come, in the place of what was kept before; nothing, where there is no such run.

        Its loss of a moment's worth harms nobody, but an outcome is durable when the call returns.
        """

    def run_progress(self, run_id: str) -> RunProgress | None:
        """How far a run has come, as it was kept last."""

    def drop_run(self, run: Run) -> None:
        """Remove a run, and how far it has come.

        Raises:
            Stale: The run's sequence is another one.
        """

    # History ---------------------------------------------------------------------------------------------------

    def history(self, subject: str, *, page: str | None, limit: int) -> Page[Event]:
        """What happened to a subject, the newest first."""

    def changes(self, *, after: str | None, limit: int) -> ChangePage:
        """What happened after a position of the change cursor, the oldest of each subject first.

        Every event that was acknowledged before the call is on this page or a later one, once.

        Raises:
            InvalidData: The position is no token of a change cursor.
            CursorLost: The events that the token tells of are not there.
        """

    def chains(self) -> tuple[Head, ...]:
        """Every chain of events, with the end that its head tells of."""

    def links(self, chain: str, *, after: int, limit: int) -> tuple[Link, ...]:
        """The events of a chain after a position, as they are stored, in order."""

    # Moving to another store -----------------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """Everything that the store holds, as `modelyard.registry.entries` has it; nobody may write meanwhile.

        Raises:
            Conflict: Somebody did, where the store can tell.
        """

    def load(self, entries: Iterable[Entry], *, mark: str) -> None:
        """Fill an empty store. A process that dies during the call leaves it empty, or such that the same call goes on.

        Args:
            entries: What another store held.
            mark: Stands for the whole of it.

        Raises:
            Conflict: The store is not empty.
        """

    # The store itself ------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Answer, if the store can.

        Raises:
            Unavailable: It can't.
        """

    def require(self) -> None:
        """Make sure that there is a registry: whoever uses one may make it, and whoever cares for one must not.

        Raises:
            UsageError: There is none.
        """

    def check(self) -> list[str]:
        """What is wrong with the store itself, in words; nothing, where it is sound."""

    def close(self) -> None:
        """Close the connections that nobody uses."""
