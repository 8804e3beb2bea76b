"""Models: applying a definition, archiving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.canonical import digest
from modelyard.config.definitions import ModelDefinition, as_read, kept_definition
from modelyard.errors import Conflict, Forbidden, InvalidData
from modelyard.registry.approval import with_names
from modelyard.registry.checks import check_project, check_subject, check_text
from modelyard.registry.pages import check_limit, every
from modelyard.registry.records import ModelRecord, Page, Promotion, PromotionKind, VersionState
from modelyard.registry.rules.base import read_content, settled
from modelyard.registry.rules.runs import RunRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import ModelVersion, Run


class ModelRules(RunRules):
    """The calls about models."""

    def apply_model(
        self, definition: Mapping[str, Any], *, project: str, expected_revision: int, run: Run | None = None
    ) -> ModelRecord:
        check_project(project)
        content = read_content(ModelDefinition, definition, "the model's definition")
        kept = self._documents.shelve(definition)
        return settled(lambda: self._apply(content, kept, project, expected_revision, run))

    def _apply(
        self, content: ModelDefinition, kept: dict[str, Any], project: str, expected_revision: int, run: Run | None
    ) -> ModelRecord:
        current = self._metadata.model(content.name)
        if current is not None and current.project != project:
            msg = f"`{content.name}` belongs to project `{current.project}`"
            raise Conflict(msg, "give the model another name, or remove it from that project first")
        if run is not None and run.model != content.name:
            msg = f"run `{run.id}` is of `{run.model}`, and came with `{content.name}`"
            raise InvalidData(msg)
        for team in {content.owner, *([] if current is None else [current.team])}:
            self._check_team(team, f"the model `{content.name}`")
        if current is not None and current.archived_at is None and current.definition == kept:
            revised = current
        else:
            revised = self._revised(current, content, kept, project)
        queued = None if run is None or self._recorded(run) else self._new_run(run, revised, content)
        if revised is current and queued is None:
            return self._whole(revised)
        _check_revision(content.name, current, expected_revision)
        self._metadata.put_model(
            revised,
            expected_revision=expected_revision,
            run=queued,
            uses=_uses(content),
            happenings=self._applied(current, revised, queued),
        )
        return self._whole(revised)

    def _revised(
        self, current: ModelRecord | None, content: ModelDefinition, kept: dict[str, Any], project: str
    ) -> ModelRecord:
        if current is not None and current.needs_approval and not content.needs_approval and not self._operator:
            msg = f"`{content.name}` asks for approval, and this definition does not"
            raise Forbidden(msg, "write `approval: required`, or let an operator apply it")
        if current is not None and current.needs_approval and not self._operator:
            self._check_sources(current, content)
        now = self._clock()
        config = digest(content.training)
        authors = current.authors if current is not None and current.config == config else ()
        return ModelRecord(
            name=content.name,
            project=project,
            team=content.owner,
            timezone=content.timezone,
            revision=1 if current is None else current.revision + 1,
            definition=kept,
            config=config,
            latest=None if current is None else current.latest,
            promotions=0 if current is None else current.promotions,
            created_at=now if current is None else current.created_at,
            updated_at=now,
            authors=with_names(authors, [self._actor]),
            needs_approval=content.needs_approval,
        )

    def _check_sources(self, current: ModelRecord, content: ModelDefinition) -> None:
        """Make sure that what was approved goes on reading what it read: versions read where the model's sources lie.

        Any version counts whose bytes are there, as an archived one may be live until its last day, a rollback brings
        back an old one, and one that waits for approval may have been looked at already.

        Raises:
            Forbidden: A source of a version lies elsewhere, or means or is expected to be otherwise.
        """
        now = self._definition_of(current)
        if as_read(now.sources) == as_read(content.sources):
            return  # what versions read follows from these, so that none has to be looked at
        for version in every(lambda page: self._metadata.versions(current.name, page=page, limit=100)):
            trained = None if version.state is VersionState.DELETED else self._trained(version)
            if trained is None:
                continue
            before, after = as_read(trained.scored_as(now)), as_read(trained.scored_as(content))
            for name in trained.sources:
                if before[name] != after[name]:
                    what = f"version {version.number} of `{current.name}`"
                    msg = f"{what} would read other rows of `{name}`, or expect other things of them"
                    raise Forbidden(msg, f"`{current.name}` asks for approval: let an operator apply this")

    def _trained(self, version: ModelVersion) -> ModelDefinition | None:
        """What a version was made from; where nobody knows, it does not score."""
        run = None if version.run is None else self._metadata.run(version.run)
        if run is None:
            return None
        spec = self._whole(run, "spec").spec
        return kept_definition(ModelDefinition, spec.get("definition", {}), f"run `{run.id}`")

    def _applied(self, current: ModelRecord | None, revised: ModelRecord, run: Run | None) -> list[Happening]:
        subject = f"model:{revised.name}"
        happenings = []
        if current is None:
            happenings.append(self._happening(subject, "model.created", {"revision": revised.revision}))
        elif revised is not current:
            happenings.append(self._happening(subject, "model.revised", {"revision": revised.revision}))
        if run is not None:
            happenings.append(self._queued(run))
        return happenings

    def model(self, name: str) -> ModelRecord:
        return self._whole(self._known_model(name))

    def models(self, *, page: str | None = None, limit: int = 100) -> Page[ModelRecord]:
        return self._whole_page(lambda most: self._metadata.models(page=page, limit=most), limit, self._whole)

    def archive_model(self, name: str, *, reason: str = "") -> ModelRecord:
        check_text(reason, "the reason")
        record = settled(lambda: self._archived(name, reason))
        # A process that dies here leaves runs open; they can't claim a version any more, and archiving again ends them.
        for run in every(lambda page: self._metadata.open_runs(page=page, limit=100)):
            if run.model == name:
                self.cancel_run(run.id)
        return self._whole(record)

    def _archived(self, name: str, reason: str) -> ModelRecord:
        current = self._known_model(name)
        if current.archived_at is not None:
            return current
        now = self._clock()
        sequence = current.promotions + 1
        changes = {"revision": current.revision + 1, "promotions": sequence, "updated_at": now, "archived_at": now}
        record = current.model_copy(update=changes)
        fact = Promotion(
            model=name,
            sequence=sequence,
            kind=PromotionKind.ARCHIVE,
            version=None,
            live_from=now,
            recorded_at=now,
            recorded_by=self._actor,
            reason=reason,
        )
        planned = self._metadata.effective_promotions(name, since=now)
        details = {"revision": record.revision, "reason": reason}
        self._metadata.archive_model(
            record,
            fact,
            supersedes=[later.sequence for later in planned],
            happenings=[self._happening(f"model:{name}", "model.archived", details)],
        )
        return record

    def dependents(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[str]:
        return self._metadata.dependents(check_subject(subject), page=page, limit=check_limit(limit))


def _check_revision(name: str, current: ModelRecord | None, expected: int) -> None:
    revision = 0 if current is None else current.revision
    if revision != expected:
        msg = f"`{name}` is at revision {revision}, and {expected} was expected: somebody applied another change"
        raise Conflict(msg, "plan again, then apply")


def _uses(content: ModelDefinition) -> set[str]:
    sources = {f"source:{name}" for name in content.sources}
    return sources | {f"feature_set:{name}" for name in content.feature_sets}
