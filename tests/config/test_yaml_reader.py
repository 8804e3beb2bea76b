import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.yaml_reader import LARGEST_FILE, parse_documents, read_documents
from modelyard.config.yaml_values import GREATEST_DEPTH

FILE = Path("a.yaml")
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs")), max_size=12)
NUMBERS = st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
YAMLISH = st.text(st.sampled_from(list("ab01:-[]{}&*!|>'\"#%@`,? \n\t~<=.\\\u00e9")), max_size=60)


def read(text: str) -> tuple[list[Any], list[str]]:
    found = parse_documents(text.encode(), FILE)
    return [raw.value for raw in found.documents], [
        f"{problem.line}:{problem.column} {problem.reason}" for problem in found.problems
    ]


@given(VALUES)
def test_what_another_tool_wrote_is_read_as_it_was(value: Any) -> None:
    # Quoted: what PyYAML leaves bare may be what YAML 1.2 reads as a number.
    text = yaml.safe_dump({"a": value}, default_style='"', allow_unicode=True, default_flow_style=None)
    documents, problems = read(text.replace("!!", "__"))
    if "!!" not in text:
        assert (documents, problems) == ([{"a": value}], [])


@given(VALUES)
def test_bare_values_are_read_as_they_were_or_refused(value: Any) -> None:
    documents, problems = read(yaml.safe_dump({"a": value}, allow_unicode=True))
    assert problems or same(documents[0], {"a": value})


def same(new: Any, old: Any) -> bool:
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(same(new[key], old[key]) for key in new)
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(same, new, old))
    if isinstance(new, float) and isinstance(old, str):
        return "e" in old.lower()  # 1e5: text to YAML 1.1 alone, so PyYAML leaves it bare
    return (type(new), new) == (type(old), old)


@given(YAMLISH)
def test_no_text_is_more_than_a_problem(text: str) -> None:
    found = parse_documents(text.encode(), FILE)
    lines = text.replace("\r", "\n").split("\n")
    for problem in found.problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
        assert problem.reason
        assert problem.hint
    for raw in found.documents:
        assert raw.node.place.line >= 1


@given(st.binary(max_size=80))
def test_no_bytes_are_more_than_a_problem(data: bytes) -> None:
    found = parse_documents(data, FILE)
    assert found.documents or found.problems


def test_every_mistake_of_a_document_is_found() -> None:
    text = "a: NO\na: 1\nb: &x 1\nc: *x\nd: !!str 3\n? [1]\n: 2\n<<: {}\n3: 4\n~: 5\n"
    _, problems = read(text)
    assert [problem.split(" ")[0] for problem in problems] == [
        "1:4", "2:1", "3:4", "4:4", "5:4", "6:3", "8:1", "9:1", "10:1",
    ]  # fmt: skip


def test_what_cannot_be_parsed_leaves_the_documents_after_it() -> None:
    found = parse_documents(b"kind: Source\nname: lost\na: [1\n---\nb: 2\n---\nc: {\n", FILE)
    assert [raw.value for raw in found.documents] == [{"b": 2}]
    assert [problem.line for problem in found.problems] == [4, 8]
    assert "that begins in line 3" in found.problems[0].reason
    assert found.lost == [("Source", "lost")]


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    _, problems = read("# A comment.\n---\na: 1\n---\n\nb: YES\n")
    assert problems == ["6:4 `YES` is true to some readers of YAML and text to others"]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n---\n"])
def test_a_file_without_a_document_is_a_problem(text: str) -> None:
    assert read(text) == ([], ["1:1 the file is empty"])


def test_a_document_after_another_needs_its_line() -> None:
    assert read("a: 1\n... \n--- {b: 2}\n") == ([{"a": 1}, {"b": 2}], [])
    _, problems = read("a: 1\n...\nb: 2\n")
    assert len(problems) == 1


def test_line_breaks_are_those_of_editors() -> None:
    assert read("a: 1\r\n---\r\nb: NO\r\n")[1][0].startswith("3:4 ")
    assert read("a: 1\rb: 2")[1] == ["1:5 the character U+000D is not allowed in YAML"]
    assert read("a: 1\u2028b: 2")[1] == ["1:5 the character U+2028 is not allowed in YAML"]


def test_a_comment_above_a_mistake_is_no_document() -> None:
    assert read("# of whom\n---\n# and what\n") == ([], ["1:1 the file is empty"])
    assert [problem[4:] for problem in read("?\n: 1\n")[1]] == ["a key is missing before the colon"]


def test_depth_has_a_limit() -> None:
    for depth, count in ((GREATEST_DEPTH - 1, 0), (GREATEST_DEPTH, 1), (900, 1)):
        _, problems = read(f"a: {'[' * depth}{']' * depth}")
        assert len(problems) == count, depth


def test_a_file_of_brackets_is_refused_at_once() -> None:
    _, problems = read("[" * (LARGEST_FILE - 1))
    assert problems == [f"1:{GREATEST_DEPTH + 1} this is nested more than {GREATEST_DEPTH} levels deep"]
    found = parse_documents(f"kind: Model\nname: a\nb: NO\nc: {'- ' * 40}\n".encode(), FILE)
    assert found.lost == [("Model", "a")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:\n\tb: 1\n", "not tabs"),
        ("a: b: c\n", "quote text with"),
        ("{a: ${x}}\n", 'quote "${name}"'),
        ("a: @x\n", "begins with one of @"),
        ("%FOO\n---\na: 1\n", "check the indentation"),
    ],
)
def test_a_syntax_error_says_what_to_do(text: str, words: str) -> None:
    (problem,) = parse_documents(text.encode(), FILE).problems
    assert problem.reason.startswith("not YAML: ")
    assert words in problem.hint


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_documents(tmp_path / "missing.yaml").problems
    assert problem.reason == "the file cannot be read: No such file or directory"


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (problem,) = read_documents(tmp_path / "pipe.yaml").problems
    assert problem.reason == "the file cannot be read: it is not a regular file"


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"a: 1\n#".ljust(LARGEST_FILE, b"x"))
    assert [raw.value for raw in read_documents(file).documents] == [{"a": 1}]
    file.write_bytes(b"a: 1\n#".ljust(LARGEST_FILE + 1, b"x"))
    assert [problem.reason for problem in read_documents(file).problems] == ["the file is larger than 1 MiB"]
