"""Versions: claim → upload → complete; reading; archiving."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.canonical import digest
from modelyard.errors import Conflict, Forbidden, IntegrityError, InvalidData, NotFound
from modelyard.registry.allowed import check_artifacts, check_content
from modelyard.registry.approval import with_names
from modelyard.registry.artifacts import VERSIONS
from modelyard.registry.checks import (
    GREATEST_COUNT,
    check_count,
    check_digest,
    check_key,
    check_metrics,
    check_name,
    check_number,
    check_text,
)
from modelyard.registry.documents import LARGEST_INLINE
from modelyard.registry.live import live_at
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import check_limit
from modelyard.registry.records import Claim, Download, ModelVersion, RunState, VersionState
from modelyard.registry.rules.base import Rules, settled
from modelyard.registry.run_spec import is_run_id, read_run_spec
from modelyard.registry.transfer import artifact_part, find_artifact, save_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.artifacts import Writer
    from modelyard.registry.metadata import KeyRecord
    from modelyard.registry.records import ModelRecord, Page, Run, VersionClaim

_SECRET = 16  # random bytes of a location: nobody guesses where a version's files will lie


class VersionRules(Rules):
    """The calls about versions and their files."""

    def claim(self, claim: VersionClaim) -> Claim:
        fingerprint = _check_claim(claim)
        return settled(lambda: self._claim(claim, fingerprint))

    def _claim(self, claim: VersionClaim, fingerprint: str) -> Claim:
        self._check_own(claim.run, claim.model)
        if claim.run is not None and self._run is None and not self._operator:
            # The loop takes a version of a run for what the run made, and promotes it.
            msg = f"the claim names run `{claim.run}`, whose version only the run itself may claim"
            raise Forbidden(msg, "leave `run` out, and use a key of your own")
        if claim.run is None and is_run_id(claim.key, claim.model):
            msg = f"key `{claim.key}` is a run's id, and the claim names no run"  # that run could claim no version then
            raise InvalidData(msg, "use a key of your own")
        run = None if claim.run is None else self._claiming_run(claim, claim.run)
        known = self._metadata.claim_key(claim.model, claim.key)
        if known is not None:
            return self._claimed_before(claim, fingerprint, known)
        model = self._usable_model(claim.model)
        authors = self._authors(claim, model, run)

        def make(number: int) -> ModelVersion:
            return ModelVersion(
                **dict(claim),
                team=model.team,
                number=number,
                state=VersionState.PENDING,
                location=f"{VERSIONS}/{model.team}/{claim.model}/{number}-{secrets.token_hex(_SECRET)}",
                created_at=self._clock(),
                created_by=self._actor,
                authors=authors,
                needs_approval=model.needs_approval,
            )

        return self._targeted(self._metadata.add_claim(claim.model, claim.key, fingerprint, make))

    def _claiming_run(self, claim: VersionClaim, run_id: str) -> Run:
        """The run in whose name a claim is made: it has made what it asks for, and once, as its id is the key.

        The loop promotes what a run made, and by its run is told who may approve a version.
        """
        run = self._training_run(run_id)
        spec = read_run_spec(self._whole(run, "spec"))
        claimed = (claim.key, claim.model, claim.request, claim.attempt, claim.pins.config, claim.pins.feature_sets)
        if claimed != (run.id, run.model, run.request, run.attempt, spec.config, spec.feature_sets):
            msg = f"the claim is of something else than run `{run.id}` asks for"
            raise InvalidData(msg, "key, model, request, attempt, config and feature sets are those of the run")
        return run

    def _training_run(self, run_id: str) -> Run:
        """A run that trains: one that waits for its next try has lost this one, which may still be about."""
        run = self._known_run(run_id)
        if run.state is not RunState.TRAINING:
            msg = f"run `{run.id}` is {run.state}, and registers its version while it is {RunState.TRAINING}"
            raise Conflict(msg, "stop: nobody waits for it any more")
        return run

    def _authors(self, claim: VersionClaim, model: ModelRecord, run: Run | None) -> tuple[str, ...]:
        """Who made what is claimed, beside whoever claims it."""
        asked = () if run is None else run.authors
        defined = model.authors if claim.pins.config == model.config else ()
        return with_names(asked, defined)

    def _claimed_before(self, claim: VersionClaim, fingerprint: str, known: KeyRecord) -> Claim:
        version = self._metadata.version(claim.model, int(known.answer))
        if known.fingerprint != fingerprint:
            if version is not None and version.state is VersionState.PENDING and claim.run and claim.run == version.run:
                self._metadata.drop_claim(version)
                msg = f"the next try of run `{claim.run}` takes the place of version {version.number}"
                raise Stale(msg)
            msg = f"key `{claim.key}` was used for another claim of `{claim.model}`: version {known.answer}"
            raise Conflict(msg, "use a key of its own for each version")
        if version is None:
            msg = f"version {known.answer} of `{claim.model}` was removed just now"
            raise Stale(msg)
        return self._targeted(version)

    def _targeted(self, version: ModelVersion) -> Claim:
        if version.state is not VersionState.PENDING:
            return Claim(version=version, targets=())
        return Claim(version=version, targets=self._artifacts.targets(version.location, version.artifacts))

    @contextmanager
    def receiving(self, model: str, number: int, path: str, secret: str) -> Iterator[Writer]:
        """Take the bytes of a claimed artifact, for a service that stands between the creator and the store.

        Whole and as claimed when the context ends well, else as if nothing was sent. So it does no harm where another
        try of the same creator has completed the version already.

        Args:
            model: The model.
            number: The version, still PENDING.
            path: The artifact.
            secret: What the claim's location ends in; only the creator knows it.

        Raises:
            NotFound: There is no such claim, or it has no such artifact.
            Conflict: The version's files are gone, and stay so.
            IntegrityError: The bytes are not those that were claimed.
        """
        version = self._metadata.version(check_name(model), check_number(number, f"`{model}`"))
        if version is None or not secrets.compare_digest(secret_of(version).encode(), secret.encode()):
            msg = f"`{model}` has no claim {number} with this secret"
            raise NotFound(msg, "claim the version (again) and use the headers of its targets")
        self._check_own(version.run, model, number)
        artifact = find_artifact(version, path)
        if version.state is VersionState.DELETED:
            msg = f"version {number} of `{model}` is deleted"
            raise Conflict(msg, "train a new version")
        with self._artifacts.writing(f"{version.location}/{path}", artifact) as writer:
            yield writer

    def complete(self, model: str, number: int) -> ModelVersion:
        return settled(lambda: self._complete(model, number))

    def _complete(self, model: str, number: int) -> ModelVersion:
        version = self._metadata.version(check_name(model), check_number(number, f"`{model}`"))
        if version is None:
            msg = f"`{model}` has no version {number}"
            raise NotFound(msg, "claims that are not completed in time are removed: claim it again")
        self._check_own(version.run, model, number)
        if version.state is not VersionState.PENDING:
            return version
        if version.run is not None:
            self._training_run(version.run)  # before its bytes are read, which may take minutes
        self._artifacts.seal(version.location, version.artifacts)
        for artifact in version.artifacts:
            with self._artifacts.open(f"{version.location}/{artifact.path}") as file:
                check_content(artifact.path, file)
        run = None if version.run is None else self._training_run(version.run)
        now = self._clock()
        ready = version.model_copy(update={"state": VersionState.READY, "ready_at": now})
        details = {"version": number, "run": version.run, "request": version.request}
        told = self._happening(f"model:{model}", "version.ready", details)
        self._metadata.complete_version(ready, run=run, happenings=[told])
        return ready

    def version(self, model: str, number: int) -> ModelVersion:
        version = self._metadata.version(check_name(model), check_number(number, f"`{model}`"))
        if version is None or version.state is VersionState.PENDING:
            msg = f"`{model}` has no version {number}"
            raise NotFound(msg, f"`modelyard models {model}` lists its versions")
        return version

    def versions(self, model: str, *, page: str | None = None, limit: int = 100) -> Page[ModelVersion]:
        found = self._metadata.versions(check_name(model), page=page, limit=check_limit(limit))
        if not found.items:
            self._known_model(model)
        return found

    def latest(self, model: str) -> ModelVersion:
        version = self._metadata.latest_version(check_name(model))
        if version is None:
            self._known_model(model)
            msg = f"`{model}` has no version that is READY"
            raise NotFound(msg, "train it, or look at why its runs failed with `modelyard runs`")
        return version

    def find_version(self, model: str, request: str) -> ModelVersion | None:
        return self._metadata.version_for_request(check_name(model), check_digest(request, "the request"))

    def read_artifact(
        self, model: str, number: int, path: str, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        version = self.version(model, number)
        _, first, last = artifact_part(version, path, start, end)
        try:
            return self._artifacts.read(f"{version.location}/{path}", first, last)
        except NotFound as error:
            msg = f"`{path}` of version {number} of `{model}` is gone from the store"
            raise IntegrityError(msg, "restore the registry from a backup") from error

    def download(self, model: str, number: int, path: str) -> Download:
        """An artifact, and where its bytes can be read without this registry, if its store can say that.

        Raises:
            NotFound: There is no such artifact (any more).
        """
        version = self.version(model, number)
        artifact, _, _ = artifact_part(version, path, 0, None)
        return Download(artifact=artifact, url=self._artifacts.url(f"{version.location}/{path}"))

    def download_artifact(self, model: str, number: int, path: str, to: Path) -> None:
        artifact = find_artifact(self.version(model, number), path)
        save_artifact(artifact, self.read_artifact(model, number, path), to)

    def archive_version(self, model: str, number: int, *, reason: str = "") -> ModelVersion:
        check_text(reason, "the reason")
        return settled(lambda: self._archive(model, number, reason))

    def _archive(self, model: str, number: int, reason: str) -> ModelVersion:
        version = self.version(model, number)
        if version.state is not VersionState.READY:
            return version
        head = self._known_model(model).promotions
        now = self._clock()
        facts = self._metadata.effective_promotions(model, until=now, limit=1)
        planned = self._metadata.effective_promotions(model, since=now)
        if number in {fact.version for fact in (live_at(facts, now), *planned) if fact is not None}:
            msg = f"version {number} of `{model}` is live, or planned to be"
            raise Conflict(msg, "promote another version first, or archive the model")
        archived = version.model_copy(update={"state": VersionState.ARCHIVED, "archived_at": now})
        details = {"version": number, "reason": reason}
        self._metadata.retire_version(
            archived,
            expected=VersionState.READY,
            promotions=head,
            happenings=[self._happening(f"model:{model}", "version.archived", details)],
        )
        return archived


def secret_of(version: ModelVersion) -> str:
    """The part of a version's location that its creator alone knows while it is PENDING."""
    return version.location.rpartition("-")[2]


def _check_claim(claim: VersionClaim) -> str:
    """The fingerprint of a claim that is acceptable."""
    check_name(claim.model)
    check_key(claim.key)
    check_digest(claim.request, "the request")
    check_count(claim.attempt, "the attempt", 1, GREATEST_COUNT)
    for pin in claim.pins.feature_sets:
        check_name(pin.name, "feature set")
        check_count(pin.version, f"the version of feature set `{pin.name}`", 1)
    check_metrics(claim.metrics)
    check_artifacts(claim.artifacts)
    content = claim.model_dump(mode="json")
    fingerprint = digest(content)
    size = len(claim.model_dump_json())
    if size > LARGEST_INLINE:
        msg = f"the claim has {size} bytes, and {LARGEST_INLINE} are possible"
        raise InvalidData(msg, "put what is large into an artifact")
    return fingerprint
