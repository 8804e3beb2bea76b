"""Feature sets: a version for each definition that means other values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.config.definitions import FeatureSetDefinition
from modelyard.errors import Conflict, NotFound
from modelyard.registry.checks import check_name, check_number, check_project, check_text
from modelyard.registry.documents import plain_json
from modelyard.registry.pages import check_limit
from modelyard.registry.records import FeatureSetVersion, Page
from modelyard.registry.rules.base import Rules, read_definition, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.metadata import Happening

_KEPT = ("number", "created_at", "created_by")
"""What of a version stays, whatever is registered of it again."""


class FeatureSetRules(Rules):
    """The calls about feature sets."""

    def register_feature_set(
        self, definition: Mapping[str, Any], *, project: str, lineage: Mapping[str, tuple[str, ...]]
    ) -> FeatureSetVersion:
        check_project(project)
        plain_json(lineage)
        content = read_definition(FeatureSetDefinition, definition, "feature set")
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
            self._check_teams(wanted, current)
            return self._metadata.add_feature_set(
                wanted.name,
                wanted.digest,
                lambda number: wanted.model_copy(update={"number": number}),
                uses=uses,
                tell=lambda version: self._told(version, "feature_set.registered"),
            )
        # Its values stay; where it reads from, who owns it and what is expected of it may be said anew.
        revised = wanted.model_copy(update={name: getattr(same, name) for name in _KEPT})
        if revised != same or current != same:
            self._check_teams(wanted, current)
            told = self._told(revised, "feature_set.revised")
            self._metadata.put_feature_set(revised, uses=uses, happenings=[told])
        return revised

    def _check_teams(self, wanted: FeatureSetVersion, current: FeatureSetVersion | None) -> None:
        for team in {wanted.team, *([] if current is None else [current.team])}:
            self._check_team(team, f"the feature set `{wanted.name}`")

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion:
        return self._whole(self._known(name, number))

    def _known(self, name: str, number: int | None = None) -> FeatureSetVersion:
        if number is not None:
            check_number(number, f"feature set `{name[:80]}`")
        version = self._metadata.feature_set(check_name(name, "feature set"), number)
        if version is None:
            msg = f"there is no feature set `{name}`" + ("" if number is None else f" with version {number}")
            raise NotFound(msg, "`modelyard apply` registers those of a project")
        return version

    def feature_sets(self, *, page: str | None = None, limit: int = 100) -> Page[FeatureSetVersion]:
        found = self._metadata.feature_sets(page=page, limit=check_limit(limit))
        return Page(items=tuple(map(self._whole, found.items)), next=found.next)

    def archive_feature_set(self, name: str, *, reason: str = "") -> FeatureSetVersion:
        check_text(reason, "the reason")
        current = self._known(name)
        if current.archived_at is None:
            current = current.model_copy(update={"archived_at": self._clock()})
            told = self._told(current, "feature_set.archived", reason=reason)
            self._metadata.put_feature_set(current, uses=(), happenings=[told])
        return self._whole(current)

    def _told(self, version: FeatureSetVersion, kind: str, **details: str) -> Happening:
        return self._happening(f"feature_set:{version.name}", kind, {"version": version.number, **details})


def _uses(content: FeatureSetDefinition) -> set[str]:
    return {f"source:{name}" for name in content.sources} | {f"feature_set:{name}" for name in content.refs}
