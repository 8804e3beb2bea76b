"""Feature sets: a version for each definition that means other values."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from modelyard.config.definitions import FeatureSetDefinition, kept_definition
from modelyard.errors import Conflict, Forbidden, NotFound
from modelyard.registry.checks import check_count, check_digest, check_name, check_number, check_project, check_text
from modelyard.registry.documents import plain_json
from modelyard.registry.pages import every
from modelyard.registry.records import FeatureSetVersion, Page
from modelyard.registry.rules.base import Rules, read_content, settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.registry.chains import Happening

LARGEST_LINEAGE = 256 * 1024
"""Bytes of a lineage: some thousand features. Beside a definition it fits into what any store holds of a record."""

_KEPT = ("number", "created_at", "created_by")
"""What of a version stays, whatever is registered of it again."""


class FeatureSetRules(Rules):
    """The calls about feature sets."""

    def register_feature_set(
        self, definition: Mapping[str, Any], *, project: str, lineage: Mapping[str, tuple[str, ...]]
    ) -> FeatureSetVersion:
        check_project(project)
        check_count(len(plain_json(lineage)), "the lineage's number of bytes", most=LARGEST_LINEAGE)
        content = read_content(FeatureSetDefinition, definition, "the feature set's definition")
        kept = self._documents.shelve(definition)
        wanted = FeatureSetVersion(
            name=content.name,
            project=project,
            team=content.document.owner or "unowned",
            number=1,
            digest=content.digest,
            definition=kept,
            lineage=dict(lineage),
            created_at=self._clock(),
            created_by=self._actor,
        )
        return self._whole(settled(lambda: self._register(wanted, _uses(content))))

    def _register(self, wanted: FeatureSetVersion, uses: set[str]) -> FeatureSetVersion:
        current = self._metadata.feature_set(wanted.name)
        if current is not None and current.project != wanted.project:
            msg = f"feature set `{wanted.name}` belongs to project `{current.project}`"
            raise Conflict(msg, "give the feature set another name")
        same = self._metadata.feature_set_for_digest(wanted.name, wanted.digest)
        # Of another team's set, what is there may be asked for: models of all teams pin it.
        if same is None:
            self._check_change(wanted, current)
            return self._metadata.add_feature_set(
                wanted.name,
                wanted.digest,
                lambda number: wanted.model_copy(update={"number": number}),
                expected=current,
                uses=uses,
                tell=lambda version: self._told(version, "feature_set.registered"),
            )
        # Its values stay; where it reads from, who owns it and what is expected of it may be said anew.
        revised = wanted.model_copy(update={name: getattr(same, name) for name in _KEPT})
        if revised != same or current != same:
            self._check_change(wanted, current)
            told = self._told(revised, "feature_set.revised")
            self._metadata.put_feature_set(revised, expected=current, uses=uses, happenings=[told])
        return revised

    def _check_change(self, wanted: FeatureSetVersion, current: FeatureSetVersion | None) -> None:
        for team in {wanted.team, *([] if current is None else [current.team])}:
            self._check_team(team, f"the feature set `{wanted.name}`")
        if current is not None and not self._operator:
            self._check_approved(wanted, current)

    def _check_approved(self, wanted: FeatureSetVersion, current: FeatureSetVersion) -> None:
        """Make sure that what was approved does not read other rows from now on, or check them otherwise.

        Any version of the set counts: they all read from where the last registered one does.

        Raises:
            Forbidden: One would, and models rely on it whose versions somebody else has to approve.
        """
        now, then = self._read(current), self._read(wanted)
        for version in every(lambda page: self._metadata.feature_set_versions(wanted.name, page=page, limit=100)):
            old = self._read(version)
            new = then if version.digest == wanted.digest else old
            if old.located_as(now).reading == new.located_as(then).reading:
                continue
            if (model := next(self._approved_with(f"feature_set:{wanted.name}"), None)) is not None:
                msg = (
                    f"version {version.number} of `{wanted.name}` would read other rows, or expect other things of them"
                )
                raise Forbidden(msg, f"`{model}`, which asks for approval, relies on it: let an operator apply this")

    def _read(self, version: FeatureSetVersion) -> FeatureSetDefinition:
        place = f"version {version.number} of feature set `{version.name}`"
        return kept_definition(FeatureSetDefinition, self._whole(version).definition, place)

    def _approved_with(self, subject: str) -> Iterator[str]:
        """The models that ask for approval, have versions, and ever depended on a feature set or on what uses it."""
        ways = deque([subject])
        seen = {subject}
        while ways:
            for dependent in self._every_dependent(ways.popleft()):
                kind, _, name = dependent.partition(":")
                if kind == "feature_set" and dependent not in seen:
                    seen.add(dependent)
                    ways.append(dependent)
                record = self._metadata.model(name) if kind == "model" else None
                if record is not None and record.needs_approval and self._has_versions(name):
                    yield name

    def _has_versions(self, model: str) -> bool:
        """Whether a model ever had one: one that is archived may still be live."""
        return bool(self._metadata.versions(model, page=None, limit=1).items)

    def _every_dependent(self, subject: str) -> Iterator[str]:
        return every(lambda page: self._metadata.dependents(subject, page=page, limit=100))

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion:
        return self._whole(self._known(name, number))

    def find_feature_set(self, name: str, digest: str) -> FeatureSetVersion | None:
        asked = check_digest(digest, "the definition")
        found = self._metadata.feature_set_for_digest(check_name(name, "feature set"), asked)
        return None if found is None else self._whole(found)

    def _known(self, name: str, number: int | None = None) -> FeatureSetVersion:
        if number is not None:
            check_number(number, f"feature set `{name[:80]}`")
        version = self._metadata.feature_set(check_name(name, "feature set"), number)
        if version is None:
            msg = f"there is no feature set `{name}`" + ("" if number is None else f" with version {number}")
            raise NotFound(msg, "`modelyard apply` registers those of a project")
        return version

    def feature_sets(self, *, page: str | None = None, limit: int = 100) -> Page[FeatureSetVersion]:
        return self._whole_page(lambda most: self._metadata.feature_sets(page=page, limit=most), limit, self._whole)

    def archive_feature_set(self, name: str, *, reason: str = "") -> FeatureSetVersion:
        check_text(reason, "the reason")
        return self._whole(settled(lambda: self._archived_set(name, reason)))

    def _archived_set(self, name: str, reason: str) -> FeatureSetVersion:
        current = self._known(name)
        if current.archived_at is not None:
            return current
        archived = current.model_copy(update={"archived_at": self._clock()})
        told = self._told(archived, "feature_set.archived", reason=reason)
        self._metadata.put_feature_set(archived, expected=current, uses=(), happenings=[told])
        return archived

    def _told(self, version: FeatureSetVersion, kind: str, **details: str) -> Happening:
        return self._happening(f"feature_set:{version.name}", kind, {"version": version.number, **details})


def _uses(content: FeatureSetDefinition) -> set[str]:
    return {f"source:{name}" for name in content.sources} | {f"feature_set:{name}" for name in content.refs}
