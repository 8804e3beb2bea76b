import pytest

from modelyard.config.sql_names import query_columns, scalar_names


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("active and market = 'ke'", {"active", "market"}),
        ("direction = 'out'", {"direction"}),
        ('"LIMIT BAL" > 1 or a in (1, 2)', {"LIMIT BAL", "a"}),
        ("greatest(0, 1 - n_7d * 30.0 / 7 / nullif(n_30d, 0))", {"n_7d", "n_30d"}),
        ("t.a > 1", {"t.a"}),
        ("case when a then b else c end", {"a", "b", "c"}),
        ("at > date '2026-01-01' - interval 30 days", {"at"}),
        ("1", set()),
    ],
)
def test_the_columns_of_an_expression(sql: str, columns: set[str]) -> None:
    names = scalar_names(sql)
    assert (set(names.columns), names.error) == (columns, "")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("a >", "something is missing near `>`"),
        ("a b c", "near `c`"),
        ("a = 'x", "not closed"),
        ("a /* b", "not closed"),
        ("select 1", "not one expression"),
        ("a; drop table b", "not one expression"),
        ("copy a to 'b'", "not one expression"),
        ("a > (select 1)", "without SELECT"),
        ("a as b", "without SELECT"),
        ("count(*) > 1", "nothing can be aggregated"),
        ("row_number() over () = 1", "nothing can be aggregated"),
        ("(" * 3000 + "a" + ")" * 3000, "nested too deeply"),
    ],
)
def test_what_is_no_scalar_expression(sql: str, words: str) -> None:
    names = scalar_names(sql)
    assert words in names.error
    assert names.columns == ()


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select a, b + 1 as c from t", ("a", "c")),
        ("with t as (select 1 as x) select t.x, y as z from t", ("x", "z")),
        ("select a from t union all select b from u", ("a",)),
    ],
)
def test_the_columns_that_a_query_returns(sql: str, columns: tuple[str, ...]) -> None:
    returned = query_columns(sql)
    assert returned is not None
    assert returned.columns == columns


@pytest.mark.parametrize("sql", ["select * from t", "select t.* from t", "select a + 1 from t"])
def test_some_queries_do_not_say_what_they_return(sql: str) -> None:
    assert query_columns(sql) is None


@pytest.mark.parametrize("sql", ["delete from t", "select 1; select 2", "selec a", "select a from", "select 'a"])
def test_what_is_no_query(sql: str) -> None:
    returned = query_columns(sql)
    assert returned is not None
    assert returned.error
