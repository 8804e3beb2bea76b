"""Whether a version may be live, and who made it: pure rules over records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Unapproved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelyard.registry.records import ModelRecord, ModelVersion, Promotion


def awaits_approval(record: ModelRecord, version: ModelVersion) -> bool:
    """Whether a version has to be approved before it can be live.

    It has to where its model asks for approval now, or did when the version was made.

    Args:
        record: The model.
        version: Its version.
    """
    return (record.needs_approval or version.needs_approval) and version.approved_at is None


def check_approved(record: ModelRecord, version: ModelVersion) -> None:
    """Make sure that a version may be live.

    Raises:
        Unapproved: It waits for approval.
    """
    if awaits_approval(record, version):
        msg = f"version {version.number} of `{version.model}` waits for approval"
        hint = f"somebody who did not make it runs `modelyard approve {version.model} {version.number}`"
        raise Unapproved(msg, hint)


def makers(version: ModelVersion) -> set[str]:
    """Who can't approve a version: whoever registered it, asked for its run, or applied its definition."""
    return {version.created_by, *version.authors}


def is_one_of(name: str, others: Iterable[str]) -> bool:
    """Whether a name is among others, in whatever case: issuers write one person's address as they like."""
    return name.casefold() in {other.casefold() for other in others}


def promote_made(promote: Callable[..., Promotion], model: str, number: int, run: str) -> Promotion:
    """Promote a version because its model says so, once: the loop and an approval may both ask for it.

    Args:
        promote: The registry's call.
        model: The model.
        number: The version.
        run: The run that made it.
    """
    return promote(model, number, reason=f"run {run}", key=run)


def with_names(*names: Iterable[str]) -> tuple[str, ...]:
    """Names, each once, in a settled order."""
    return tuple(sorted({name for some in names for name in some}))
