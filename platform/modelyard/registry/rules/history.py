"""What happened: to one subject, and to everything after a position of the change cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import InvalidData
from modelyard.registry.checks import GREATEST_NUMBER, check_subject
from modelyard.registry.pages import check_limit
from modelyard.registry.rules.base import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.registry.records import Event, Page


class HistoryRules(Rules):
    """The calls about history."""

    def history(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[Event]:
        return self._metadata.history(check_subject(subject), page=page, limit=check_limit(limit))

    def changes(self, *, after: int = 0, limit: int = 100) -> Sequence[Event]:
        if not 0 <= after <= GREATEST_NUMBER:
            msg = f"{after} is no position of the change cursor"
            raise InvalidData(msg, "begin with 0, then go on after the last event's sequence")
        return self._metadata.changes(after=after, limit=check_limit(limit))
