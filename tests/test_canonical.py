"""Identities do not depend on the order of keys, the machine or the process."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.canonical import canonical_json, digest, file_digest

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("abcé"), inner), max_leaves=20
)


def reordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(documents)
def test_the_order_of_keys_does_not_matter(document: object) -> None:
    assert digest(document) == digest(reordered(document))


@given(documents)
def test_nothing_is_lost(document: object) -> None:
    assert json.loads(canonical_json(document)) == document


def test_canonical_json_is_sorted_utf8_without_white_space() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()


def test_a_digest_stays_what_it_was() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"\x00" * 300_000)
    assert file_digest(tmp_path / "model.skops") == hashlib.sha256(b"\x00" * 300_000).hexdigest()
