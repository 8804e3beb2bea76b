"""What can go wrong, as classes that carry facts. No HTTP and no printing: doors translate.

An error's class decides two things for every caller: its exit code, and whether trying again can help.
One more error is one more class here, with the same two class attributes.
"""

from __future__ import annotations

from typing import ClassVar


class ModelyardError(Exception):
    """Something went wrong that a user can be told about in words.

    Args:
        reason: What was wrong, naming the place (the file, the model, the field).
        hint: What to do about it; empty where there is nothing to add.
    """

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason}\n  hint: {self.hint}" if self.hint else self.reason

    def __reduce__(self) -> tuple[type[ModelyardError], tuple[str, str]]:
        # The default would rebuild the error without its hint when a worker process hands it back.
        return type(self), (self.reason, self.hint)


class UsageError(ModelyardError):
    """The call itself was wrong: an unknown name, a missing argument, a missing extra."""

    exit_code = 64


class InvalidData(ModelyardError):
    """Config or data that can never succeed as it is; trying again changes nothing."""

    exit_code = 65


class RefusedContent(InvalidData):
    """A file of a kind that is not stored, whatever it is called."""


class NotFound(ModelyardError):
    """A thing that was named does not exist (or is not visible yet)."""


class Conflict(ModelyardError):
    """The request contradicts what is already recorded; look again before asking again."""


class CursorLost(Conflict):
    """What a reader has read last is not there any more: it has to begin anew."""


class Unapproved(Conflict):
    """A version was to be live that waits for approval."""


class Unauthenticated(ModelyardError):
    """Who asks did not say who he is, or could not prove it."""

    exit_code = 77


class Forbidden(ModelyardError):
    """Who asks is known, and may not do this."""

    exit_code = 77


class Unavailable(ModelyardError):
    """A helper could not answer in time; the same call may succeed later."""

    exit_code = 75
    transient = True


class TargetExpired(Unavailable):
    """A URL that was signed for a while does not open its object any more; whoever signed it signs another."""


class StorageFull(ModelyardError):
    """A disk or a quota holds no more; nothing was changed, and somebody has to make room first."""


class IntegrityError(ModelyardError):
    """Stored bytes are not what was recorded of them, or do not behave as recorded."""

    exit_code = 65


class WrongBytes(IntegrityError):
    """What a creator sent is not what it claimed: it can send the right bytes, where damage in the store stays."""


class NotUploaded(WrongBytes):
    """A file, or a piece of one, that a creator claimed is not there (any more): the same claim says where it goes."""


class MissingExtra(UsageError):
    """A part of Modelyard that was not installed is needed.

    Args:
        extra: The extra's name, as in `modelyard[extra]`.
        needed_for: What asked for it, as the subject of a sentence.
    """

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs the extra `{extra}`", f"pip install 'modelyard[{extra}]'")
        self.extra = extra
        self.needed_for = needed_for

    def __reduce__(self) -> tuple[type[ModelyardError], tuple[str, str]]:
        return type(self), (self.extra, self.needed_for)
