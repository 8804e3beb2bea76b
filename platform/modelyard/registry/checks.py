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
    from collections.abc import Collection, Mapping

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
GREATEST_COUNT = 999_999_999
"""Of attempts and tries: nine digits are what names of jobs and tokens of runs have room for."""
GREATEST_EPOCH = 2**31 - 3
"""Of controllers: a Lease counts in 32 bits, and has to have room for those who lead next."""
MOST_REMARKS = 50
LONGEST_REMARK = 1000
"""Characters; with the most remarks and metrics, a record still fits into what any store holds of one."""
MOST_METRICS = 100
LONGEST_METRIC = 200
"""Characters of a metric's name."""

_PROJECT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_DIGEST = r"[A-Za-z0-9_-]{1,128}"
_YEARS = range(2, 9999)  # an instant of Python's first or last year has no local day in some timezones
_SHOWN = 80  # characters of a bad value that an error repeats


def check_name(name: str, what: str = "model") -> str:
    """A name that keys may be built from.

    Raises:
        InvalidData: It is none.
    """
    hint = "names are lower-case letters, digits and underscores, starting with a letter"
    return _matching(NAME, name, f"{what}'s name", hint)


def check_project(name: str) -> str:
    """A project's name.

    Raises:
        InvalidData: It is none.
    """
    return _matching(_PROJECT, name, "project's name", "use letters, digits, dot, hyphen and underscore")


def check_run_id(run_id: str) -> str:
    """A run's id that keys may be built from.

    Raises:
        InvalidData: It is none.
    """
    hint = "ids are lower-case letters, digits and hyphens, 63 characters at most"
    return _matching(RUN_ID, run_id, "run's id", hint)


def check_subject(subject: str) -> str:
    """`model:NAME`, `feature_set:NAME`, `source:NAME` or `run:ID`.

    Raises:
        InvalidData: It is none.
    """
    return _matching(SUBJECT, subject, "subject", "write model:NAME, feature_set:NAME, source:NAME or run:ID")


def check_digest(value: str, what: str) -> str:
    """A digest, or another token that stands for content.

    Raises:
        InvalidData: It is none.
    """
    hint = "digests are letters, digits, hyphens and underscores, 128 at most"
    return _matching(_DIGEST, value, f"digest of {what}", hint)


def _matching(pattern: str, value: str, what: str, hint: str) -> str:
    if not re.fullmatch(pattern, value):
        msg = f"{value[:_SHOWN]!r} is no {what}"
        raise InvalidData(msg, hint)
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


def check_count(count: int, what: str, least: int = 0, most: int = GREATEST_NUMBER) -> int:
    """A count that every store, every reader of JSON and every name that is made of it has room for.

    Raises:
        InvalidData: It is too small or too large.
    """
    if not least <= count <= most:
        msg = f"{what} is not within {least} and {most}"  # the count itself may have thousands of digits
        raise InvalidData(msg)
    return count


def check_remarks(remarks: Collection[str]) -> None:
    """Remarks that a record has room for.

    Raises:
        InvalidData: They are too many, one is too long, or no Unicode.
    """
    check_count(len(remarks), "the number of remarks", most=MOST_REMARKS)
    for remark in remarks:
        check_count(len(check_text(remark, "a remark")), "a remark's length", most=LONGEST_REMARK)


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
    """Metrics that JSON can hold, and a record has room for.

    Raises:
        InvalidData: They are too many, a name is too long, or one is NaN or infinite.
    """
    check_count(len(metrics), "the number of metrics", most=MOST_METRICS)
    for name, estimate in metrics.items():
        check_count(len(check_text(name, "a metric's name")), "the length of a metric's name", most=LONGEST_METRIC)
        if not all(
            math.isfinite(value) for value in (estimate.value, estimate.low, estimate.high) if value is not None
        ):
            msg = f"metric `{name}` is {estimate.value} [{estimate.low}, {estimate.high}]"
            raise InvalidData(msg, "leave out what is not a number")
