"""The registry, as everything above it sees it.

`LocalRegistry` (in process, over a metadata store and an artifact store) and `HttpRegistry` (over the API)
keep this Protocol; one suite of contract tests runs on both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelyard.registry.records import (
        Approval,
        ChangePage,
        Claim,
        Event,
        FeatureSetVersion,
        ModelRecord,
        ModelVersion,
        Page,
        Promotion,
        Run,
        RunProgress,
        VersionClaim,
    )


class Registry(Protocol):
    """Models, their versions, what is live when, feature sets, runs, and the history of all of it.

    Every call may raise `Unavailable` (try again) and, where it names something, `NotFound`. Lists come in
    pages of at most `limit` records, and a page's `next` is the `page` of the following call.
    """

    # Models ----------------------------------------------------------------------------------------------------

    def apply_model(
        self, definition: Mapping[str, Any], *, project: str, expected_revision: int, run: Run | None = None
    ) -> ModelRecord:
        """Create a model (expected revision 0) or give it a new revision, and queue its run, in one transaction.

        The same definition and run again change nothing and answer with what is there.

        Raises:
            Conflict: The model's revision is another one, or the model belongs to another project.
            Forbidden: The definition does without the approval that the model asks for, and this is no operator.
        """

    def model(self, name: str) -> ModelRecord:
        """A model, archived ones included."""

    def models(self, *, page: str | None = None, limit: int = 100) -> Page[ModelRecord]:
        """All models by name, archived ones included."""

    def archive_model(self, name: str, *, reason: str = "") -> ModelRecord:
        """Take a model out of use: nothing is live from now on, queued runs are cancelled. Again changes nothing."""

    def dependents(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[str]:
        """The subjects that have ever depended on `source:NAME` or `feature_set:NAME`, such as `model:NAME`, in order.

        A model depends on what its definition names and on what its versions pin.
        """

    # Versions --------------------------------------------------------------------------------------------------

    def claim(self, claim: VersionClaim) -> Claim:
        """Reserve the next number, and be told where the bytes go. The same key gets the same version.

        A run that died before it completed its claim is tried again and makes other bytes: its new claim, under the
        same key, takes the place of the one that is PENDING.

        Raises:
            Conflict: The key was used for another claim, or the model is archived.
            InvalidData: An artifact's path, type or size is not acceptable.
        """

    def complete(self, model: str, number: int) -> ModelVersion:
        """Verify that every artifact is there, whole and as claimed, and make the version READY.

        Raises:
            IntegrityError: Bytes are missing or differ; the version stays PENDING.
        """

    def version(self, model: str, number: int) -> ModelVersion:
        """A version that is READY, ARCHIVED or DELETED; a PENDING one does not exist yet."""

    def versions(self, model: str, *, page: str | None = None, limit: int = 100) -> Page[ModelVersion]:
        """A model's versions, the newest first, PENDING ones left out."""

    def latest(self, model: str) -> ModelVersion:
        """The READY version with the greatest number."""

    def find_version(self, model: str, request: str) -> ModelVersion | None:
        """The newest READY or ARCHIVED version that was made for a request."""

    def read_artifact(
        self, model: str, number: int, path: str, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """An artifact's bytes from `start` up to `end` (exclusive), in chunks."""

    def download_artifact(self, model: str, number: int, path: str, to: Path) -> None:
        """Write an artifact to a file, whole and verified, or not at all.

        Raises:
            IntegrityError: The bytes are not those that were registered.
        """

    def archive_version(self, model: str, number: int, *, reason: str = "") -> ModelVersion:
        """Take a version out of use. Again changes nothing.

        Raises:
            Conflict: It is live, or will be.
        """

    def approve(self, model: str, number: int, *, reason: str = "") -> Approval:
        """Let a version be made live; where its model promotes by itself, it is.

        Again changes nothing, and does what was left undone.

        Raises:
            Forbidden: It was made by whoever asks: he registered it, asked for its run, or applied its definition.
            Conflict: It is not READY or ARCHIVED.
        """

    # What is live ----------------------------------------------------------------------------------------------

    def promote(
        self, model: str, number: int, *, live_from: datetime | None = None, reason: str = "", key: str | None = None
    ) -> Promotion:
        """Make a version live from `live_from` on: the next midnight in the model's timezone unless said.

        Raises:
            InvalidData: `live_from` is past.
            Conflict: The version is not READY, another promotion came first, or a later start is already planned.
            Unapproved: The version waits for approval.
        """

    def rollback(self, model: str, *, to: int | None = None, reason: str = "", key: str | None = None) -> Promotion:
        """Make the previously live version (or `to`) live from now on; what was planned does not happen.

        Raises:
            Unapproved: The version waits for approval.
        """

    def live(self, model: str, at: datetime) -> ModelVersion | None:
        """The version that was, is or will be live at an instant, as planned by now."""

    def promotions(self, model: str) -> Sequence[Promotion]:
        """Every promotion fact of a model, in the order in which they were recorded."""

    # Feature sets ----------------------------------------------------------------------------------------------

    def register_feature_set(
        self, definition: Mapping[str, Any], *, project: str, lineage: Mapping[str, tuple[str, ...]]
    ) -> FeatureSetVersion:
        """The version of a definition: the one that is there, or a new one. An archived set comes back into use."""

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion:
        """A version of a feature set; the newest unless said."""

    def find_feature_set(self, name: str, digest: str) -> FeatureSetVersion | None:
        """The version of a feature set whose definition has a digest; None where it is not registered so."""

    def feature_sets(self, *, page: str | None = None, limit: int = 100) -> Page[FeatureSetVersion]:
        """The newest version of each feature set, by name, archived ones included."""

    def archive_feature_set(self, name: str, *, reason: str = "") -> FeatureSetVersion:
        """Take a feature set out of use; its versions stay materialised while a live version pins them."""

    # Runs ------------------------------------------------------------------------------------------------------

    def queue_run(self, run: Run) -> Run:
        """Record a run, or answer with the one that has its id."""

    def run(self, run_id: str) -> Run:
        """A run."""

    def runs(self, *, model: str | None = None, page: str | None = None, limit: int = 100) -> Page[Run]:
        """Runs, the newest first: of one model, or of all."""

    def open_runs(self, *, page: str | None = None, limit: int = 100) -> Page[Run]:
        """Runs that are not terminal, the oldest first."""

    def update_run(self, run: Run) -> Run:
        """Replace a run's record, conditioned on the sequence that it was read with.

        Raises:
            Conflict: Somebody else changed it since, it is terminal already, or a controller of a later epoch has it.
        """

    def cancel_run(self, run_id: str) -> Run:
        """Ask for a run to end; a queued one is cancelled at once. A terminal one stays as it is."""

    def write_run_log(self, run_id: str, log: BinaryIO) -> None:
        """Keep a run's log; a later call replaces it."""

    def read_run_log(self, run_id: str) -> Iterator[bytes]:
        """A run's log as kept last, in chunks."""

    def report_progress(self, progress: RunProgress) -> RunProgress:
        """Keep how far a run's job has come; a later call replaces it.

        Raises:
            Conflict: The run has ended, or a later try of it has begun.
        """

    def run_progress(self, run_id: str) -> RunProgress | None:
        """How far a run's job has come, as it said last."""

    # Bundles ---------------------------------------------------------------------------------------------------

    def keep_bundle(self, digest: str, content: bytes) -> None:
        """Keep the zip of a project's module, which runs are queued with, under its digest. Again changes nothing.

        Raises:
            InvalidData: It is not the bundle with that digest.
        """

    def read_bundle(self, digest: str) -> bytes:
        """The zip of a project's module."""

    # History ---------------------------------------------------------------------------------------------------

    def history(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[Event]:
        """What happened to `model:NAME`, `feature_set:NAME` or `run:ID`, the newest first."""

    def changes(self, *, after: str | None = None, limit: int = 100) -> ChangePage:
        """What happened after a position of the change cursor, the oldest of each subject first.

        Args:
            after: `next` of the page that was read last; None for the beginning.
            limit: The most events of the page.

        Raises:
            CursorLost: The events that were read last are not there (any more).
        """
