"""Retention: what nobody needs any more is removed, after saying so.

Removed are claims that were never completed, the files of versions that were archived long ago, runs that ended long
ago and made nothing that is still there, and files that nothing refers to. A version that is live, planned, the
previous one (where a rollback leads) or the latest stays, however old it is.

Records change before bytes go: a process that dies in between leaves files without a record, for the next sweep.

Who refers to a document or a bundle writes it first, even where it lies there already. So a file that no record names
is looked at once more just before it goes, and stays where it has become young. Between that look and the removal lie
milliseconds; a document that is written just then is named by `modelyard registry check`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from modelyard.registry.artifacts import BUNDLES, DOCUMENTS, RUNS, VERSIONS
from modelyard.registry.chains import Happening
from modelyard.registry.integrity import PAGE, kept_bundles, kept_documents
from modelyard.registry.live import live_at, previous_version
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import every
from modelyard.registry.records import VersionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from modelyard.registry.artifacts import ArtifactStore, StoredFile
    from modelyard.registry.metadata import MetadataStore
    from modelyard.registry.records import ModelVersion, Run

_VERSION_FILE = re.compile(
    rf"(?P<location>{VERSIONS}/[^/]+/(?P<model>[^/]+)/(?P<number>[0-9]{{1,16}})-[^/]+)/(?P<path>.+)"
)


@dataclass(frozen=True)
class Retention:
    """How long things stay."""

    claims: timedelta = timedelta(days=1)
    """A claim that is not completed, and a file that nothing refers to: longer than any upload takes."""
    versions: timedelta = timedelta(days=90)
    """The files of an archived version."""
    runs: timedelta = timedelta(days=90)
    """A run that has ended, and its log."""


@dataclass(frozen=True)
class Removal:
    """Something that was removed, or would be."""

    kind: str
    """claim, version, run or file; dataset for what the datasets' own sweep removes."""
    name: str
    """What it was, in words."""
    size: int
    """Bytes that this frees."""


class Sweep:
    """One pass over the stores.

    Args:
        metadata: The records.
        artifacts: The bytes.
        now: The time; everything is judged as of it.
        actor: Who is named in the history.
        retention: How long things stay.
        dry_run: Whether only to say what would be removed.
    """

    def __init__(
        self,
        metadata: MetadataStore,
        artifacts: ArtifactStore,
        *,
        now: datetime,
        actor: str,
        retention: Retention | None = None,
        dry_run: bool = True,
    ) -> None:
        self._metadata = metadata
        self._artifacts = artifacts
        self._now = now
        self._actor = actor
        self._retention = retention or Retention()
        self._dry_run = dry_run

    def run(self) -> list[Removal]:
        """Do it; what was removed, or would be."""
        return [*self._claims(), *self._versions(), *self._runs(), *self._files()]

    def _claims(self) -> Iterator[Removal]:
        before = self._now - self._retention.claims
        for version in every(lambda page: self._metadata.pending_versions(before, page=page, limit=PAGE)):
            name = f"claim {version.number} of {version.model}, never completed"
            yield from self._remove("claim", name, version.location, partial(self._metadata.drop_claim, version))

    def _versions(self) -> Iterator[Removal]:
        before = self._now - self._retention.versions
        for version in every(lambda page: self._metadata.archived_versions(before, page=page, limit=PAGE)):
            model = self._metadata.model(version.model)
            if model is None or version.number in self._needed(version.model):
                continue
            name = f"version {version.number} of {version.model}, archived"
            yield from self._remove("version", name, version.location, self._deletion(version, model.promotions))

    def _needed(self, model: str) -> set[int | None]:
        """The versions that are live, will be, or are where a rollback leads."""
        begun = self._metadata.effective_promotions(model, until=self._now)
        planned = self._metadata.effective_promotions(model, since=self._now)
        live = live_at(begun, self._now)
        return {None if live is None else live.version, previous_version(begun), *(fact.version for fact in planned)}

    def _deletion(self, version: ModelVersion, promotions: int) -> Callable[[], None]:
        deleted = version.model_copy(update={"state": VersionState.DELETED})
        told = Happening(
            subject=f"model:{version.model}",
            type="version.deleted",
            at=self._now,
            by=self._actor,
            details={"version": version.number},
        )
        return partial(
            self._metadata.retire_version,
            deleted,
            expected=VersionState.ARCHIVED,
            promotions=promotions,
            happenings=[told],
        )

    def _runs(self) -> Iterator[Removal]:
        before = self._now - self._retention.runs
        for run in every(lambda page: self._metadata.finished_runs(before, page=page, limit=PAGE)):
            if not self._made_something(run):
                name = f"run {run.id}, {run.state.lower()}"
                yield from self._remove("run", name, f"{RUNS}/{run.id}", partial(self._metadata.drop_run, run))

    def _made_something(self, run: Run) -> bool:
        """Whether a version of a run is there, whatever became of the run after it had registered it.

        It is found by its key: that is the run's id, and nobody else's.
        """
        known = self._metadata.claim_key(run.model, run.id)
        made = None if known is None else self._metadata.version(run.model, int(known.answer))
        return made is not None and made.state is not VersionState.DELETED

    def _files(self) -> Iterator[Removal]:
        """Files that nothing refers to: left by a process that died, or by a sweep that did."""
        before = self._now - self._retention.claims
        for prefix, found in (
            (VERSIONS, lambda: self._is_of_version),
            (RUNS, lambda: self._is_of_run),
            (DOCUMENTS, self._documents),
            (BUNDLES, self._bundles),
        ):
            old = [file for file in self._artifacts.stored(prefix) if file.modified < before]
            needed = found() if old else None  # records are read after files: what was kept since then is young
            for file in old:
                if needed is not None and not needed(file) and self._gone(file):
                    yield Removal("file", file.key, file.size)

    def _gone(self, file: StoredFile) -> bool:
        """Remove a file, unless somebody has written it again since it was listed, to refer to it anew."""
        return self._dry_run or self._artifacts.remove(file.key, if_unmodified_since=file.modified)

    def _documents(self) -> Callable[[StoredFile], bool]:
        keys = {f"{DOCUMENTS}/{digest}" for digest in kept_documents(self._metadata)}
        return lambda file: file.key in keys

    def _bundles(self) -> Callable[[StoredFile], bool]:
        keys = {f"{BUNDLES}/{digest}.zip" for digest in kept_bundles(self._metadata, self._artifacts)}
        return lambda file: file.key in keys

    def _is_of_version(self, file: StoredFile) -> bool:
        match = _VERSION_FILE.fullmatch(file.key)
        version = match and self._metadata.version(match["model"], int(match["number"]))
        if not match or not version or version.location != match["location"]:
            return False
        if version.state is VersionState.PENDING:
            return True  # also what is half uploaded
        paths = {artifact.path for artifact in version.artifacts}
        return version.state is not VersionState.DELETED and match["path"] in paths

    def _is_of_run(self, file: StoredFile) -> bool:
        _, _, rest = file.key.partition("/")
        run_id, _, name = rest.partition("/")
        return name == "log" and self._metadata.run(run_id) is not None

    def _remove(self, kind: str, name: str, prefix: str, forget: Callable[[], None]) -> Iterator[Removal]:
        """Forget a record, then remove the files below its prefix; what somebody changed just now stays."""
        files = list(self._artifacts.stored(prefix))
        if not self._dry_run:
            try:
                forget()
            except Stale:
                return
            for file in files:
                self._gone(file)
        yield Removal(kind, name, sum(file.size for file in files))
