from pathlib import Path

import pytest

from modelyard.config.nodes import key_place, locate
from modelyard.config.problems import FieldPath, Finding
from modelyard.config.yaml_reader import parse_documents

TEXT = """\
# A comment.
---
name: x
data:
  list: [1, {a: 2}]
  "quoted key": é, then
empty:
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (3, 1)),
        (("name",), (3, 7)),
        (("data",), (4, 1)),
        (("data", "list"), (5, 3)),
        (("data", "list", 0), (5, 10)),
        (("data", "list", 1), (5, 13)),
        (("data", "list", 1, "a"), (5, 17)),
        (("data", "quoted key"), (6, 17)),
        (("empty",), (7, 7)),
        (("data", "missing"), (4, 1)),
        (("data", "list", 7, "deeper"), (5, 3)),
        (("data", 0), (4, 1)),
    ],
)
def test_a_path_is_where_people_look_for_it(path: FieldPath, place: tuple[int, int]) -> None:
    (raw,) = parse_documents(TEXT.encode(), Path("a.yaml")).documents
    assert locate(raw.node, path)[0] == place


def test_a_key_has_a_place_of_its_own() -> None:
    (raw,) = parse_documents(TEXT.encode(), Path("a.yaml")).documents
    assert key_place(raw.node, ("data", "quoted key")) == (6, 3)
    assert key_place(raw.node, ("data", "missing")) == (4, 1)
    assert key_place(raw.node, ()) == (3, 1)


def test_nothing_more_is_said_of_what_is_refused() -> None:
    (raw,) = parse_documents(b"a: NO\nb: 1\n", Path("a.yaml")).documents
    findings = [Finding((key,), "wrong", "mend it") for key in ("a", "b")]
    assert [problem.field for problem in raw.problems(findings)] == ["b"]
