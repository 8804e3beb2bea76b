"""What happened: to one subject, and to everything after a position of the change cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.checks import check_subject
from modelyard.registry.pages import check_limit
from modelyard.registry.rules.base import Rules

if TYPE_CHECKING:
    from modelyard.registry.records import ChangePage, Event, Page


class HistoryRules(Rules):
    """The calls about history."""

    def history(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[Event]:
        return self._metadata.history(check_subject(subject), page=page, limit=check_limit(limit))

    def changes(self, *, after: str | None = None, limit: int = 100) -> ChangePage:
        return self._metadata.changes(after=after, limit=check_limit(limit))
