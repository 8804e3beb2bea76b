"""Bodies are read within bounds, and JSON is read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.scoring.schema import InvalidRows
from scoring_service.requests import Asked, parse


def fault(body: bytes) -> tuple[str, str, str]:
    with pytest.raises(InvalidRows) as caught:
        parse(body)
    first = caught.value.faults[0]
    return first.at, first.reason, first.hint


def test_rows_by_features_and_by_entity() -> None:
    assert parse(b'{"features": [{"a": 1}]}') == Asked("features", [{"a": 1}])
    assert parse(b' {"entities" : [] } ') == Asked("entities", [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"features": [{"a": NaN}]}',
        b'{"features": [{"a": Infinity}]}',
        b'{"features": [{"a": 1e400}]}',
        b'{"features": [{"a": "\\ud800"}]}',
        b'{"features": []} trailing',
        b'{"features": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
)
def test_what_is_no_strict_json_is_told(body: bytes) -> None:
    at, reason, _ = fault(body)
    assert at == "body"
    assert reason.startswith("is not valid JSON: ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[]", ("body", "is no object")),
        (b"{}", ("body", "has neither `entities` nor `features`")),
        (b'{"features": [], "entities": []}', ("body", "has both `entities` and `features`")),
        (b'{"features": [], "model": 1}', ("model", "is unknown")),
        (b'{"rows": []}', ("rows", "is unknown")),
        (b'{"features": {"a": 1}}', ("features", "is no list")),
        (b'{"entities": null}', ("entities", "is no list")),
        (b'{"features": [{"a": 1, "a": 2}]}', ("body", "says `a` twice in one object")),
        (b'{"features": [{"a": 1}], "features": []}', ("body", "says `features` twice in one object")),
        (b'{"features": [{"a": {"b": 1, "b": 2}}]}', ("body", "says `b` twice in one object")),
    ],
)
def test_bodies_of_another_shape_are_told(body: bytes, expected: tuple[str, str]) -> None:
    assert fault(body)[:2] == expected


def test_a_body_nested_deeper_than_this_pythons_own_reader_goes_is_refused() -> None:
    deep = b'{"features": [{"a:": ' + b'{"b": ' * 1000 + b"1" + b"}" * 1000 + b"}]}"
    try:
        told = [*parse(deep).rows[0]]  # from 3.12 on it goes that deep
    except InvalidRows as error:
        told = [error.faults[0].at, error.faults[0].reason]
    assert told in (["a:"], ["body", "is nested too deeply"])


def test_colons_in_strings_are_no_names() -> None:
    row = {"a:b": "::", "c": 'a "quoted": one'}
    assert parse(json.dumps({"features": [row]}).encode()).rows == [row]


LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(LEAVES | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(st.lists(JSON), st.sampled_from(["entities", "features"]), st.booleans())
def test_any_list_of_rows_is_read_as_it_was_written(rows: list[Any], by: Any, ascii_only: bool) -> None:
    assert parse(json.dumps({by: rows}, ensure_ascii=ascii_only).encode()) == Asked(by, rows)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        asked = parse(body)
    except InvalidRows as error:
        told = error.faults
    else:
        assert asked.by in ("entities", "features")
        return
    assert told


@given(st.dictionaries(TEXT, LEAVES | TEXT, min_size=1), st.data())
def test_a_name_said_twice_is_always_found(row: dict[str, Any], data: st.DataObject) -> None:
    repeated = data.draw(st.sampled_from(sorted(row)))
    pairs = [*row.items(), (repeated, 1)]
    text = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs)
    at, reason, _ = fault(f'{{"features": [{{{text}}}]}}'.encode())
    assert (at, reason) == ("body", f"says `{repeated[:80]}` twice in one object")
