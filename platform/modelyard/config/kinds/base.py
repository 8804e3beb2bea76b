"""What every document has in common: strictness, names, durations, sizes.

A setting is a field with a docstring below it; the docstring becomes its description in the JSON Schema,
in `modelyard explain` and in the reference.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    Tag,
    WithJsonSchema,
)

T = TypeVar("T")

Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list, kept as a tuple."""

Scalar = str | int | float | bool
"""A YAML scalar that keeps its type."""

DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DURATION = timedelta(days=36_500)
"""A century: more than any data reaches back, and a date minus it is still a date."""

_DURATION = re.compile(r"(?P<count>[1-9][0-9]*)(?P<unit>ms|s|m|h|d)")
_SIZE = re.compile(r"(?P<count>[1-9][0-9]{0,6})(?P<unit>Ki|Mi|Gi)")


def parse_duration(value: object) -> timedelta:
    """`30d`, `12h`, `15m`, `10s` or `5ms` as a timedelta.

    Raises:
        ValueError: It is written otherwise, or longer than a century.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        msg = "a duration is a whole number and a unit, such as 30d, 12h, 15m, 10s or 5ms"
        raise ValueError(msg)
    if float(match["count"]) * DURATION_UNITS[match["unit"]] > LONGEST_DURATION.total_seconds():
        msg = f"a duration is {format_duration(LONGEST_DURATION)} at most"
        raise ValueError(msg)
    return timedelta(seconds=int(match["count"]) * DURATION_UNITS[match["unit"]])


def format_duration(value: timedelta) -> str:
    """A timedelta in the largest unit that holds it whole."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        whole, rest = divmod(milliseconds, round(DURATION_UNITS[unit] * 1000))
        if not rest:
            return f"{whole}{unit}"
    return f"{milliseconds}ms"


def parse_size(value: str) -> int:
    """`512Mi` or `4Gi` in bytes.

    Raises:
        ValueError: It is written otherwise.
    """
    match = _SIZE.fullmatch(value)
    if match is None:
        msg = "a size is a whole number and Ki, Mi or Gi, such as 512Mi or 4Gi"
        raise ValueError(msg)
    return int(match["count"]) << {"Ki": 10, "Mi": 20, "Gi": 30}[match["unit"]]


def _known_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        msg = "not a timezone of the IANA database, such as Africa/Nairobi or UTC"
        raise ValueError(msg) from error
    return value


def _plain_date(value: object) -> object:
    if isinstance(value, datetime) or not isinstance(value, (date, str)):
        msg = "a date is written as 2026-01-31"
        raise ValueError(msg)
    return value


NAME = r"^[a-z][a-z0-9_]{0,62}$"
OWNER = r"^[a-z0-9][a-z0-9-]{0,62}$"
DOTTED_NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
MODULE_NAME = r"^(\./)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*$"
ENVIRONMENT_VARIABLE = r"^[A-Z_][A-Z0-9_]*$"
EXPECTATION = r"^[a-z][a-z0-9_]*$"
TEMPLATE_FILE = r"^[^/\\][^\\]*\.sql\.j2$"
SCHEDULE = r"^\S+ \S+ \S+ \S+ \S+$"
SIZE = r"^[1-9][0-9]{0,6}(Ki|Mi|Gi)$"

MEANINGS = {
    NAME: "lower-case letters, digits and underscores, a letter first, 63 characters at most",
    OWNER: "lower-case letters, digits and hyphens, 63 characters at most, as credit-ke",
    DOTTED_NAME: "a class by its module, as sklearn.linear_model.LogisticRegression",
    MODULE_NAME: "an installed module, as sklearn, or a folder of the project, as ./estimators",
    ENVIRONMENT_VARIABLE: "capital letters, digits and underscores, as MODELYARD_DATA",
    EXPECTATION: "in snake case and without `expect_`, as column_values_to_not_be_null",
    TEMPLATE_FILE: "a file beside the document whose name ends in .sql.j2, as borrower_history.sql.j2",
    SCHEDULE: "five fields of cron, as 0 4 * * *: minute, hour, day of the month, month, day of the week",
    SIZE: "a whole number and Ki, Mi or Gi, as 512Mi or 4Gi",
}
"""What the patterns ask for, in words that an error can end with. A pattern of a kind's own stands here too."""

Name = Annotated[str, Field(pattern=NAME, examples=["borrower_history"])]
"""Lower-case letters, digits and underscores, starting with a letter, 63 characters at most."""

Owner = Annotated[str, Field(pattern=OWNER, examples=["credit-ke"])]
"""The team that owns a document: lower-case letters, digits and hyphens."""

Column = Annotated[str, Field(min_length=1, max_length=128, examples=["borrower_id"])]
"""The name of a column, as the data has it."""


def text_or_list(value: object) -> str:
    """Which branch of a union of text and a list a value is for; brackets tell it from a key in an error's path."""
    return "<list>" if isinstance(value, list | tuple) else "<text>"


Keys = Annotated[
    Annotated[Column, Tag("<text>")] | Annotated[Many[Column], Field(min_length=1), Tag("<list>")],
    Discriminator(text_or_list),
]
"""One column, or a list of columns that are a key together."""

Timezone = Annotated[str, AfterValidator(_known_timezone), Field(examples=["Africa/Nairobi"])]
"""A timezone of the IANA database."""

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*(ms|s|m|h|d)$", "examples": ["30d", "12h", "15m"]}),
]
"""A whole number and a unit: 30d, 12h, 15m, 10s, 5ms."""

Day = Annotated[date, BeforeValidator(_plain_date), Field(strict=False, examples=["2026-01-31"])]
"""A calendar day."""

Size = Annotated[str, Field(pattern=SIZE, examples=["4Gi"])]
"""An amount of memory, in powers of 1024."""

if TYPE_CHECKING:
    Argument = Any
else:
    Argument = JsonValue
"""Whatever JSON can hold: an argument of a class, of an expectation. What it means is for its taker to say."""

Sql = Annotated[str, Field(min_length=1, max_length=10_000)]
"""A scalar SQL expression; it is parsed and checked, never pasted."""


class Settings(BaseModel):
    """A part of a document. Unknown keys are errors, values keep their types, nothing changes once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, validate_by_alias=True
    )

    def content(self) -> dict[str, Any]:
        """What was said, as plain JSON values: defaults left out, so that saying a default changes nothing."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Document(Settings):
    """A whole document: its kind, its name, and what that kind holds."""

    api_version: Literal["modelyard/v1"] = Field(alias="apiVersion")
    """The version of the document's format."""
    name: Name
    """The document's name, unique among those of its kind."""
    description: str = ""
    """What it is for, in a sentence or two."""


def as_keys(keys: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """One column, several or none, as a tuple."""
    if keys is None:
        return ()
    return (keys,) if isinstance(keys, str) else keys
