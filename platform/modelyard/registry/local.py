"""The registry in process: its rules over a metadata store and an artifact store."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Self

from modelyard.registry.checks import check_subject
from modelyard.registry.rules.approvals import ApprovalRules
from modelyard.registry.rules.bundles import BundleRules
from modelyard.registry.rules.feature_sets import FeatureSetRules
from modelyard.registry.rules.history import HistoryRules
from modelyard.registry.rules.models import ModelRules

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.registry.records import FeatureSetVersion, ModelRecord


class LocalRegistry(ModelRules, ApprovalRules, FeatureSetRules, BundleRules, HistoryRules):
    """The `Registry` of this process; any number of processes may share the stores below it.

    Args:
        metadata: Where records live.
        artifacts: Where bytes live.
        actor: Who is named in the history.
        operator: Whether he may do what operators alone may.
        teams: The teams for which he may make things; all of them unless said.
        run: The run that acts; none unless said.
        clock: The time, in UTC; this machine's unless said.
    """

    def acting_as(
        self, actor: str, *, operator: bool = True, teams: Collection[str] | None = None, run: str | None = None
    ) -> Self:
        """The same registry under another name, for a service that acts for its callers.

        Args:
            actor: Who is named in the history of what is done with it.
            operator: Whether he may do what operators alone may.
            teams: The teams for which he may make models, feature sets and runs; all of them unless said.
            run: The run that acts, which touches no version of another one; none unless said.
        """
        other = copy.copy(self)
        other._actor, other._operator, other._teams, other._run = actor, operator, teams, run
        return other

    def team_of(self, subject: str) -> str | None:
        """The team that owns `model:NAME`, `feature_set:NAME` or `run:ID`; None where there is no such thing.

        A run is its model's, also where that belonged to another team when the run was queued.

        Raises:
            InvalidData: It is no subject.
        """
        kind, _, name = check_subject(subject).partition(":")
        found: ModelRecord | FeatureSetVersion | None = None
        if kind == "model":
            found = self._metadata.model(name)
        elif kind == "feature_set":
            found = self._metadata.feature_set(name)
        elif kind == "run":
            run = self._metadata.run(name)
            found = None if run is None else self._metadata.model(run.model)
        return None if found is None else found.team

    def ping(self) -> None:
        """Answer, if the stores can.

        Raises:
            Unavailable: They can't.
        """
        self._metadata.ping()
