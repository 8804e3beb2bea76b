"""What users' SQL may do, and that what is run means what they wrote."""

from collections.abc import Iterator

import duckdb
import pytest

from modelyard.errors import InvalidData
from modelyard.features.functions import AGGREGATE, CHANGES_EACH_TIME, PICKS_ANY_ROW, SCALAR
from modelyard.features.sql import check_query, check_scalar

COLUMNS = ("a", "b", "PAY_0", "s", "t", "f", "l")
RELATIONS = ("source:loans", "ref:profile")

EXPRESSIONS = [
    "a + b * 2 - -a", "a / b", "a // b", "a % b", "mod(a, b)", "a ** 2", "a ^ 2", "PAY_0",
    "pay_0 > 1 and b < 2 or not f", "a between 1 and 2", "a in (1, 2)", "a is null", "s like 'x%' escape '$'",
    "s ilike '%Y'", "s not similar to 'x.*'", "s || '-' || a", "case when a > b then 'x' when f then 'y' else s end",
    "case a when 1 then 2 end", "if(f, a, b)", "coalesce(a, b, 0)", "ifnull(a, 0)", "nullif(a, 1)", "a::double",
    "try_cast(s as integer)", "cast(a as varchar)", "extract(hour from t)",
    "extract(dow from t at time zone 'Africa/Nairobi')", "date_part('hour', t)", "date_trunc('month', t)",
    "date_diff('day', t, timestamptz '2026-03-01 00:00:00+00')", "dayofweek(t)", "isodow(t)", "t + interval 3 days",
    "t - interval '2 hours'", "epoch(t)", "strftime(t, '%Y-%m')", "year(t) * 12 + month(t)", "greatest(a, b, 0)",
    "least(a, b)", "round(a / 3, 2)", "ln(a + 10)", "log(a + 10)", "round(log2(a + 10), 9)", "log10(a + 10)",
    "sqrt(abs(a))", "pow(a, 2)", "floor(a / 2)", "sign(a)", "isnan(a::double)", "len(s)", "upper(s)",
    "substr(s, 2, 3)", "substring(s, 1, 1)", "left(s, 2)", "instr(s, 'y')", "split_part(s, 'y', 1)",
    "regexp_matches(s, 'y+')", "regexp_extract(s, '(x)(y)', 2)", "regexp_replace(s, 'x', 'z', 'g')",
    "trim(both 'x' from s)", "md5(s)", "concat(a, s)", "starts_with(s, 'x')", "list_sum(l)", "len(l)", "l[1]",
    "list_contains(l, 2)", "list_max(list_transform(l, lambda x: x + a))", "list_filter(l, lambda x: x > 1)",
    "a is distinct from b", "a <> b", "a != b", "time_bucket(interval 1 day, t)", "'it''s; drop table x; --'", "1e3",
    "0.5", "true", "null", "a > all_of", "hash(s)", "{'x': a}.x", "jaro_winkler_similarity(s, 'x')",
]  # fmt: skip
REFUSED_HERE = {"a > all_of": "no column `all_of`", "{'x': a}.x": "written before its argument"}


@pytest.fixture(scope="module")
def rows() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("""
        CREATE TABLE rows AS SELECT * FROM (VALUES
            (1, 2, 3, 'xyz', TIMESTAMPTZ '2026-02-01 22:30:00+00', true, [1, 2, 3]),
            (-7, 3, -1, 'aXy', TIMESTAMPTZ '2025-12-31 23:59:59+00', false, []),
            (5, -2, 0, '12', TIMESTAMPTZ '2024-02-29 00:00:00+00', null, [2]),
            (null, null, null, null, null, null, null)) rows(a, b, PAY_0, s, t, f, l)
    """)
    yield connection
    connection.close()


@pytest.mark.parametrize("sql", [sql for sql in EXPRESSIONS if sql not in REFUSED_HERE])
def test_what_is_run_means_what_was_written(rows: duckdb.DuckDBPyConnection, sql: str) -> None:
    run = check_scalar(sql, COLUMNS, "here").sql
    asked = rows.execute(f"SELECT ({sql})::VARCHAR FROM rows").fetchall()  # noqa: S608 - the examples' own text
    assert rows.execute(f"SELECT ({run})::VARCHAR FROM rows").fetchall() == asked  # noqa: S608 - the examples' own text


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        *REFUSED_HERE.items(),
        ("(select 1)", "without SELECT"),
        ("a in (select b)", "without SELECT"),
        ("exists (select 1)", "one row"),
        ("sum(a)", "nothing can be aggregated"),
        ("max(a) > 1", "nothing can be aggregated"),
        ("count(*) over ()", "no window"),
        ("row_number() over (order by a)", "no window"),
        ("a; b", "not one statement"),
        ("a as b", "without AS"),
        ("*", "must name its columns"),
        ("columns('a.*')", "hides which columns"),
        ("random() < 0.5", "`random` has another value each time"),
        ("now() - t", "`now` has another value each time"),
        ("current_date", "`current_date` has another value each time"),
        ("localtimestamp", "has another value each time"),
        ("age(t)", "has another value each time"),
        ("uuid()", "has another value each time"),
        ("nextval('x')", "has another value each time"),
        ("session_user", "not among the functions"),
        ("getenv('HOME')", "`getenv` is not among the functions"),
        ("current_setting('x')", "not among the functions"),
        ("read_text('/etc/passwd')", "not among the functions"),
        ("query('select 1')", "not among the functions"),
        ("s.upper()", "before its argument"),
        ("c + 1", "no column `c`"),
        ("t.a", "no column `t.a`"),
        ("$x", "names a parameter"),
        ("?", "names a parameter"),
        ("drop table x", "not one expression"),
        ("a between 1 and", "line 1"),
        ("'open", "Error tokenizing"),
        ("(" * 5000 + "a" + ")" * 5000, "nested too deeply"),
        ("a" + " " * 100_000, "longer than"),
        ("", "not one statement"),
    ],
)
def test_what_an_expression_may_not(sql: str, reason: str) -> None:
    with pytest.raises(InvalidData) as caught:
        check_scalar(sql, COLUMNS, "feature set `x`, where")
    assert caught.value.reason.startswith("feature set `x`, where: ")
    assert reason in caught.value.reason


def test_columns_are_matched_as_sql_does_and_near_misses_are_named() -> None:
    assert check_scalar("pay_0 + PAY_0 + A", COLUMNS, "here").columns == ("a", "PAY_0")
    with pytest.raises(InvalidData) as caught:
        check_scalar("PAY_1", COLUMNS, "here")
    assert "`PAY_0`" in caught.value.hint
    with pytest.raises(InvalidData) as caught:
        check_scalar("list_summ(l)", COLUMNS, "here")
    assert "`list_sum`" in caught.value.hint


@pytest.mark.parametrize(
    ("sql", "run"),
    [
        ('select a from "source:loans" where t < $as_of',
         'SELECT "a" FROM "source:loans" WHERE "t" < CAST($as_of AS TIMESTAMPTZ)'),
        ('with x as (select a from "ref:profile") select X.a from x',
         'WITH "x" AS (SELECT "a" FROM "ref:profile") SELECT "X"."a" FROM "x"'),
        ('select a from "source:loans" qualify row_number() over (partition by a order by t) = 1',
         'SELECT "a" FROM "source:loans" QUALIFY ROW_NUMBER() OVER (PARTITION BY "a" ORDER BY "t") = 1'),
        ('select a from "source:loans" union all select b from "ref:profile" -- */ note',
         'SELECT "a" FROM "source:loans" UNION ALL SELECT "b" FROM "ref:profile"'),
        ('select arg_max(a, t) from "source:loans" order by 1 limit 3',
         'SELECT ARG_MAX("a", "t") FROM "source:loans" ORDER BY 1 LIMIT 3'),
    ],
)  # fmt: skip
def test_what_a_query_may(sql: str, run: str) -> None:
    assert check_query(sql, RELATIONS, ("as_of",), "here").sql == run


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select 1; select 2", "not one statement"),
        ("copy (select 1) to 'x'", "not one SELECT"),
        ("attach 'x'", "not one SELECT"),
        ("pragma database_list", "not one SELECT"),
        ("set threads = 1", "not one SELECT"),
        ("install httpfs", "not one SELECT"),
        ("load httpfs", "not one SELECT"),
        ("call pragma_version()", "not one SELECT"),
        ("insert into x select 1", "not one SELECT"),
        ("delete from x", "not one SELECT"),
        ("create table x as select 1", "not one SELECT"),
        ("explain select 1", "not one SELECT"),
        ('summarize "source:loans"', "not one SELECT"),
        ("values (1)", "not one SELECT"),
        ('pivot "source:loans" on a using sum(b)', "not one SELECT"),
        ('select a into x from "source:loans"', "makes a table"),
        ("select * from read_csv('/etc/passwd')", "`read_csv` is not among the functions"),
        ("select * from sniff_csv('/etc/passwd')", "not among the functions"),
        ("select * from query_table('rows:loans')", "not among the functions"),
        ("select * from query('select 1')", "not among the functions"),
        ("select * from range(10)", "not among the functions"),
        ("select * from '/etc/passwd'", "which is not given to it"),
        ('select * from "rows:loans"', "which is not given to it"),
        ('select * from (select * from "rows:loans")', "which is not given to it"),
        ('select * from main."source:loans"', "which is not given to it"),
        ('with "rows:loans" as (select * from "rows:loans") select 1', "cannot be the name of a part"),
        ('with "source:loans" as (select 1) select * from "source:loans"', "cannot be the name of a part"),
        ("with recursive x as (select 1 union all select 1 from x) select * from x", "may never end"),
        ('select * from "source:loans" tablesample 10%', "another one each time"),
        ('select * from "source:loans" limit 3', "no ORDER BY"),
        ('select distinct on (a) * from "source:loans"', "no ORDER BY"),
        ('select any_value(a) from "source:loans"', "no particular order"),
        ('select first(a) from "source:loans"', "no particular order"),
        ("select random()", "another value each time"),
        ("select $other", "`$other`"),
        ("select ?", "`?`"),
    ],
)
def test_what_a_query_may_not(sql: str, reason: str) -> None:
    with pytest.raises(InvalidData) as caught:
        check_query(sql, RELATIONS, ("as_of",), "feature set `x`, query")
    assert reason in caught.value.reason


def test_what_changes_each_time_is_not_allowed(rows: duckdb.DuckDBPyConnection) -> None:
    volatile = rows.execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type = 'scalar' AND stability <> 'CONSISTENT'"
    ).fetchall()
    allowed = SCALAR | AGGREGATE
    assert allowed.isdisjoint(name for (name,) in volatile)
    assert allowed.isdisjoint(CHANGES_EACH_TIME | PICKS_ANY_ROW)
    known = {name for (name,) in rows.execute("SELECT function_name FROM duckdb_functions()").fetchall()}
    syntax = {
        "array",
        "case",
        "cast",
        "coalesce",
        "exists",
        "extract",
        "if",
        "ifnull",
        "map",
        "row",
        "struct",
        "try_cast",
        "unnest",
    }
    assert allowed - known <= syntax
