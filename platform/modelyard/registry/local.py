"""The registry in process: its rules over a metadata store and an artifact store."""

from __future__ import annotations

import copy
from typing import Self

from modelyard.registry.rules.approvals import ApprovalRules
from modelyard.registry.rules.bundles import BundleRules
from modelyard.registry.rules.feature_sets import FeatureSetRules
from modelyard.registry.rules.history import HistoryRules
from modelyard.registry.rules.models import ModelRules


class LocalRegistry(ModelRules, ApprovalRules, FeatureSetRules, BundleRules, HistoryRules):
    """The `Registry` of this process; any number of processes may share the stores below it.

    Args:
        metadata: Where records live.
        artifacts: Where bytes live.
        actor: Who is named in the history.
        operator: Whether he may do what operators alone may.
        clock: The time, in UTC; this machine's unless said.
    """

    def acting_as(self, actor: str, *, operator: bool = True) -> Self:
        """The same registry under another name, for a service that acts for its callers.

        Args:
            actor: Who is named in the history of what is done with it.
            operator: Whether he may do what operators alone may.
        """
        other = copy.copy(self)
        other._actor, other._operator = actor, operator
        return other

    def ping(self) -> None:
        """Answer, if the stores can.

        Raises:
            Unavailable: They can't.
        """
        self._metadata.ping()
