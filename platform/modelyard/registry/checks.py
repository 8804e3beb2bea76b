"""What a caller may say: names, digests, keys, texts. Keys of stores are built from nothing else.

Everything that reaches the registry's rules from outside passes here first.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.records import Estimate

NAME = r"[a-z][a-z0-9_]{0,62}"
"""A model's, a feature set's, a source's or a project's name."""

RUN_ID = r"[a-z][a-z0-9-]{0,62}"
"""A run's id."""

SUBJECT = rf"(model|feature_set|source):{NAME}|run:{RUN_ID}"
"""What events and dependencies are about."""

LONGEST_KEY = 200
LONGEST_TEXT = 4000
GREATEST_NUMBER = 2**53 - 1  # what every JSON reader counts to

_NAME = re.compile(NAME)
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RUN_ID = re.compile(RUN_ID)
_SUBJECT = re.compile(SUBJECT)
_DIGEST = re.compile(r"[A-Za-z0-9_-]{1,128}")
_YEARS = range(2, 9999)  # an instant of Python's first or last year has no local day in some timezones
_SHOWN = 80  # characters of a bad value that an error repeats


def check_name(name: str, what: str = "model") -> str:
    """A name that keys may be built from.

    Raises:
        InvalidData: It is none.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name[:_SHOWN]!r} is no {what}'s name"
        raise InvalidData(msg, "names are lower-case letters, digits and underscores, starting with a letter")
    return name


def check_project(name: str) -> str:
    """A project's name.

    Raises:
        InvalidData: It is none.
    """
    if not _PROJECT.fullmatch(name):
        msg = f"{name[:_SHOWN]!r} is no project's name"
        raise InvalidData(msg, "use letters, digits, dot, hyphen and underscore")
    return name


def check_run_id(run_id: str) -> str:
    """A run's id that keys may be built from.

    Raises:
        InvalidData: It is none.
    """
    if not _RUN_ID.fullmatch(run_id):
        msg = f"{run_id[:_SHOWN]!r} is no run's id"
        raise InvalidData(msg, "ids are lower-case letters, digits and hyphens, 63 characters at most")
    return run_id


def check_subject(subject: str) -> str:
    """`model:NAME`, `feature_set:NAME`, `source:NAME` or `run:ID`.

    Raises:
        InvalidData: It is none.
    """
    if not _SUBJECT.fullmatch(subject):
        msg = f"{subject[:_SHOWN]!r} is no subject"
        raise InvalidData(msg, "write model:NAME, feature_set:NAME, source:NAME or run:ID")
    return subject


def check_digest(value: str, what: str) -> str:
    """A digest, or another token that stands for content.

    Raises:
        InvalidData: It is none.
    """
    if not _DIGEST.fullmatch(value):
        msg = f"{what} is no digest: {value[:_SHOWN]!r}"
        raise InvalidData(msg, "digests are letters, digits, hyphens and underscores, 128 at most")
    return value


def check_key(key: str) -> str:
    """An idempotency key.

    Raises:
        InvalidData: It is empty, too long, or holds what can't be printed.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        msg = f"an idempotency key is 1 to {LONGEST_KEY} printable characters"
        raise InvalidData(msg)
    return key


def check_text(text: str, what: str) -> str:
    """A text for people.

    Raises:
        InvalidData: It is too long, or no Unicode.
    """
    if len(text) > LONGEST_TEXT:
        msg = f"{what} has {len(text)} characters, and {LONGEST_TEXT} are possible"
        raise InvalidData(msg)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{what} holds half of a character: {error.reason}"
        raise InvalidData(msg) from error
    return text


def check_number(number: int, what: str) -> int:
    """A version's number.

    Raises:
        NotFound: No version can have it.
    """
    if not 1 <= number <= GREATEST_NUMBER:
        msg = f"{what} has no such version: numbers begin with 1"
        raise NotFound(msg)
    return number


def check_instant(instant: datetime, what: str) -> datetime:
    """An instant in UTC.

    Raises:
        InvalidData: It has no timezone, or lies beyond the years that can be told.
    """
    if instant.tzinfo is None:
        msg = f"{what} {instant.isoformat()} has no timezone"
        raise InvalidData(msg, "write it as 2026-01-31T00:00:00+03:00")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        msg = f"{what} {instant.isoformat()} is beyond the years 1 to 9999"
        raise InvalidData(msg) from error


def check_kept_instant(instant: datetime, what: str) -> datetime:
    """An instant in UTC that others will be told in their own timezone.

    Raises:
        InvalidData: It has no timezone, or lies beyond the years that can be told in every one.
    """
    if instant.year not in _YEARS:
        msg = f"{what} {instant.isoformat()} is beyond the years {_YEARS[0]} to {_YEARS[-1]}"
        raise InvalidData(msg)
    return check_instant(instant, what)


def check_metrics(metrics: Mapping[str, Estimate]) -> None:
    """Metrics that JSON can hold.

    Raises:
        InvalidData: One is NaN or infinite.
    """
    for name, estimate in metrics.items():
        check_text(name, "a metric's name")
        if not all(
            math.isfinite(value) for value in (estimate.value, estimate.low, estimate.high) if value is not None
        ):
            msg = f"metric `{name}` is {estimate.value} [{estimate.low}, {estimate.high}]"
            raise InvalidData(msg, "leave out what is not a number")
