import math
from datetime import date

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.config.scalars import read_plain

WORDS = [
    word
    for base in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
    for word in (base, base.upper(), base.capitalize())
]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.from_regex(r"[-+]?[0-9_.:xobe+-]{1,12}", fullmatch=True),
    st.integers().map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.from_regex(r"[A-Za-z][A-Za-z0-9_ -]{0,10}[A-Za-z0-9]", fullmatch=True),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("y", "y"),
        ("n", "n"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("2026-01-31", date(2026, 1, 31)),
        ("1.2.3", "1.2.3"),
        ("30d", "30d"),
        ("-", "-"),
        ("ke", "ke"),
    ],
)
def test_what_every_reader_agrees_on_has_its_value(text: str, value: object) -> None:
    plain = read_plain(text)
    assert (plain.value, type(plain.value), plain.reason) == (value, type(value), "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NO", "is false to some readers"),
        ("Yes", "is true to some readers"),
        ("off", "is false to some readers"),
        ("010", "octal"),
        ("0x1F", "a number to some readers"),
        ("0b11", "a number to some readers"),
        ("0o17", "a number to some readers"),
        ("1_000", "a number to some readers"),
        ("12:30:45", "base 60"),
        ("08:30", "base 60"),
        (".nan", "not a number that can be stored"),
        ("-.inf", "not a number that can be stored"),
        ("1e400", "too large"),
        ("1234567890123456789", "more than 18 digits"),
        ("2026-02-30", "no calendar has it"),
        ("2026-01-31 12:00:00", "an instant to some readers"),
        ("2026-1-5T1:00:00Z", "an instant to some readers"),
    ],
)
def test_what_readers_take_for_different_things_is_refused_as_it_was_written(text: str, words: str) -> None:
    plain = read_plain(text)
    assert plain.value == text
    assert plain.reason.startswith(f"`{text}` ")
    assert words in plain.reason
    assert plain.hint


def read_by_yaml_1_1(text: str) -> object:
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # the stubs lack it
    return loader.construct_object(yaml.ScalarNode(tag, text))


@given(SCALARS)
@example("1e5")
@example("190:20:30")
@example("0.")
def test_no_value_differs_from_what_yaml_1_1_reads(text: str) -> None:
    plain = read_plain(text)
    if plain.reason:
        return
    old = read_by_yaml_1_1(text)
    if isinstance(plain.value, float) and isinstance(old, str):
        assert math.isclose(plain.value, float(text))  # 1e5 and -.5 are text to PyYAML alone, and never meant as text
    else:
        assert (plain.value, type(plain.value)) == (old, type(old))
