"""What plain YAML scalars mean here: what every reader of YAML agrees on; the rest is refused.

YAML 1.1 (most Python tools) and YAML 1.2 (most editors) read some words differently: `NO` is false or the text NO,
`012` is ten or twelve. Such a scalar is an error wherever it stands, so that no country code becomes a truth value.
"""

from __future__ import annotations

import math
import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

PlainValue = str | int | float | bool | date | None

_WORDS: dict[str, PlainValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_TRUTH = {word: word.lower() in ("yes", "on") for base in ("yes", "no", "on", "off")
              for word in (base, base.capitalize(), base.upper())}  # fmt: skip
_MAYBE_SPECIAL = re.compile(r"[-+.0-9]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST_DIGITS = 18  # these fit 64 bits, whatever they are

_REFUSED = (
    (re.compile(r"[-+]?0[0-9_]+"), "is an octal number to some readers of YAML and a decimal one to others"),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+"), "is a number to some readers of YAML and text to others"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"), "is a number to some readers of YAML and text to others"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
     "is a number of base 60 to some readers of YAML and text to others"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "is not a number that can be stored"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*"),
     "is an instant to some readers of YAML and text to others"),
)  # fmt: skip


class Plain(NamedTuple):
    """What a plain scalar is read as."""

    value: PlainValue
    """Its value; the text as written, where it is refused."""
    reason: str = ""
    """Why it is refused; empty where it is not."""
    hint: str = ""


@lru_cache(maxsize=65_536)
def read_plain(text: str) -> Plain:
    """The value of a scalar without quotes."""
    if text in _WORDS:
        return Plain(_WORDS[text])
    if text in _OLD_TRUTH:
        reason = f"`{text}` is {_said(_OLD_TRUTH[text])} to some readers of YAML and text to others"
        return Plain(text, reason, f'for text write "{text}" in quotes, for a truth value {_said(_OLD_TRUTH[text])}')
    return _read_number(text) if _MAYBE_SPECIAL.match(text) else Plain(text)


def _read_number(text: str) -> Plain:
    if _INTEGER.fullmatch(text):
        fits = len(text.lstrip("+-")) <= _MOST_DIGITS
        return Plain(int(text)) if fits else _refused(text, f"is a number of more than {_MOST_DIGITS} digits")
    if _DATE.fullmatch(text):
        return _read_date(text)
    for pattern, reason in _REFUSED:
        if pattern.fullmatch(text):
            return _refused(text, reason)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return Plain(value) if math.isfinite(value) else _refused(text, "is too large for a number")
    return Plain(text)


def _read_date(text: str) -> Plain:
    try:
        return Plain(date.fromisoformat(text))
    except ValueError:
        return Plain(
            text, f"`{text}` looks like a date, but no calendar has it", "write a day that is, or quotes for text"
        )


def _refused(text: str, reason: str) -> Plain:
    return Plain(text, f"`{text}` {reason}", f'for text write "{text}" in quotes')


def _said(truth: bool) -> str:
    return "true" if truth else "false"
