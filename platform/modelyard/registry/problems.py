"""The names of errors between client and service. One more error that crosses is one more line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound, StorageFull, Unavailable, UsageError
from modelyard.registry.contents import RefusedContent

if TYPE_CHECKING:
    from modelyard.errors import ModelyardError

PROBLEMS: dict[str, type[ModelyardError]] = {
    "refused-content": RefusedContent,
    "invalid-data": InvalidData,
    "integrity": IntegrityError,
    "not-found": NotFound,
    "conflict": Conflict,
    "storage-full": StorageFull,
    "unavailable": Unavailable,
    "usage": UsageError,
}
"""A narrower class stands before a wider one."""


def problem_name(error: ModelyardError) -> str:
    """The name under which an error crosses; `internal` where it is of no class that does."""
    return next((name for name, kind in PROBLEMS.items() if isinstance(error, kind)), "internal")
