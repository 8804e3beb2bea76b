"""Records as stored bytes, each with the number of its layout, so that code can read what older code wrote.

When a record's fields change in a way that old JSON does not fit, a function that turns the old content into the new
goes to the end of the record's line in `UPGRADES`; nothing else changes. Rows are upgraded as they are read.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from modelyard.errors import IntegrityError, UsageError
from modelyard.registry.records import ModelVersion, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

R = TypeVar("R", bound=Record)

_REMEMBERED = 1024  # versions that stay decoded: ten full pages, some six megabytes

UPGRADES: Mapping[type[Record], tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]] = {}
"""For each record, how its first layout becomes the second, the second the third, and so on."""


def layout_of(kind: type[Record]) -> int:
    """The number of the layout that this code writes, from 1."""
    return len(UPGRADES.get(kind, ())) + 1


def encode(record: Record) -> tuple[int, str]:
    """A record's layout and its JSON."""
    return layout_of(type(record)), record.model_dump_json()


def decode(kind: type[R], layout: int, body: str) -> R:
    """The record that was encoded.

    Raises:
        UsageError: It was written by a newer version of this code.
        IntegrityError: It is no such record.
    """
    try:
        if layout == layout_of(kind):
            return kind.model_validate_json(body)
        return kind.model_validate(_upgraded(kind, layout, json.loads(body)))
    except ValueError as error:
        lines = error.errors(include_url=False)[:1] if isinstance(error, ValidationError) else [str(error)]
        msg = f"a stored {kind.__name__} can't be read: {lines[0]}"
        raise IntegrityError(msg, "restore the registry from a backup") from error


@lru_cache(maxsize=_REMEMBERED)
def decode_version(layout: int, body: str) -> ModelVersion:
    """The version that was encoded; one that was read before is the same frozen value again.

    Versions are read far more often than they change, a page of a hundred at a time.
    """
    return decode(ModelVersion, layout, body)


def _upgraded(kind: type[Record], layout: int, content: dict[str, Any]) -> dict[str, Any]:
    if layout > layout_of(kind):
        msg = f"a stored {kind.__name__} has layout {layout}, and this Modelyard knows {layout_of(kind)} at most"
        raise UsageError(msg, "upgrade Modelyard to the version that wrote it, or a newer one")
    for upgrade in UPGRADES[kind][layout - 1 :]:
        content = upgrade(content)
    return content
