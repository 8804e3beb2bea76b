from pathlib import Path

import pytest

from modelyard.config.queries import Query, parse_query, read_query
from modelyard.config.yaml_reader import LARGEST_FILE

FILE = Path("a.sql.j2")


def parse(text: str) -> Query:
    query = parse_query(text, FILE)
    assert isinstance(query, Query)
    return query


def test_what_a_query_refers_to_is_found_with_its_first_line() -> None:
    text = (
        "select id, x as y\nfrom {{ source('a') }}\njoin {{ ref('b') }} using (id)\njoin {{ ref(\"b\") }} using (id)\n"
    )
    query = parse(text + "where at < {{ as_of }}")
    assert (query.sources, query.refs, query.columns) == ({"a": 2}, {"b": 3}, ("id", "y"))


def test_a_template_with_statements_returns_what_it_will() -> None:
    query = parse("select id {% for d in range(7, 9) %}, n_{{ d }}{% endfor %} from {{ source('a') }}")
    assert query.columns is None
    assert query.sources == {"a": 1}


def test_comments_are_no_sql() -> None:
    assert parse("select id {# of whom #} from {{ source('a') }}").columns == ("id",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("select a\nfrom {{ source('a' }}", 2, "not a template"),
        ("select a from {{ source(a) }}", 1, "`source` takes one name in quotes"),
        ("select a\n\nfrom {{ ref('a', 'b') }}", 3, "`ref` takes one name in quotes"),
        ("select {{ asof }}", 1, "the template knows no `asof`"),
        ("drop table {{ source('a') }}", 1, "not a query"),
        ("select a, from where", 1, "not a query"),
    ],
)
def test_what_is_wrong_has_its_line_and_a_hint(text: str, line: int, words: str) -> None:
    problems = parse_query(text, FILE)
    assert isinstance(problems, list)
    assert any(problem.line == line and words in problem.reason and problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("content", "words"), [(b"select '\xe9'", "cannot be read"), (b" " * (LARGEST_FILE + 1), "larger than 1 MiB")]
)
def test_a_file_that_is_no_text_of_a_query(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "a.sql.j2"
    file.write_bytes(content)
    problems = read_query(file)
    assert isinstance(problems, list)
    assert words in problems[0].reason
