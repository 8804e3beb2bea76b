"""Cron expressions: five fields, each within its range, and a day that comes."""

from __future__ import annotations

from typing import NamedTuple

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Field(NamedTuple):
    """One of the five fields."""

    name: str
    least: int
    greatest: int
    words: tuple[str, ...] = ()
    """Names for values, from the least on."""


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),
)


def check_cron(expression: str) -> str:
    """What is wrong with a cron expression; empty where nothing is.

    Args:
        expression: Five fields: numbers, names of months and weekdays, `*`, ranges, lists and `/` steps.
    """
    parts = expression.split()
    if len(parts) != len(FIELDS):
        return f"it has {len(parts)} fields, not {len(FIELDS)}"
    try:
        _, _, days, months, weekdays = (_values(field, part) for field, part in zip(FIELDS, parts, strict=True))
    except ValueError as error:
        return str(error)
    # cron takes a day that either field names, so the two only exclude each other where no weekday is named
    named = any(day <= LONGEST_MONTHS[month - 1] for month in months for day in days)
    return "" if named or weekdays != set(range(8)) else "no month has that day"


def _values(field: Field, text: str) -> set[int]:
    """The values that a field names.

    Raises:
        ValueError: It is not written as a field is.
    """
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and int(step) > 0):
            msg = f"the {field.name} `{part}` has no step after its `/`"
            raise ValueError(msg)
        first, last = _span(field, span, open_ended=bool(slash))
        values.update(range(first, last + 1, int(step) if slash else 1))
    return values


def _span(field: Field, text: str, *, open_ended: bool) -> tuple[int, int]:
    if text == "*":
        return field.least, field.greatest
    first, dash, last = text.partition("-")
    least = _value(field, first)
    greatest = _value(field, last) if dash else field.greatest if open_ended else least
    if least > greatest:
        msg = f"the {field.name} `{text}` ends before it begins"
        raise ValueError(msg)
    return least, greatest


def _value(field: Field, text: str) -> int:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + field.least
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not field.least <= value <= field.greatest:
        msg = f"the {field.name} `{text}` is not between {field.least} and {field.greatest}"
        raise ValueError(msg)
    return value
