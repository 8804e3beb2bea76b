"""A source's rows come as it declares them, or an error says which file, column and value stand against it."""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.config.kinds import Source
from modelyard.errors import InvalidData
from modelyard.features.engine import SourceRows
from tests.features.builders import Place, source, utc


def rows(place: Place, of: Source, columns: str = "*") -> list[dict[str, Any]]:
    with place.engine.session({"rows": SourceRows(of)}) as session:
        found: list[dict[str, Any]] = session.fetch(f"SELECT {columns} FROM rows").to_pylist()  # noqa: S608 - ours
        return found


def refused(place: Place, of: Source) -> InvalidData:
    with pytest.raises(InvalidData) as caught:
        rows(place, of)
    return caught.value


def parquet(place: Place, name: str, **columns: Any) -> None:
    pq.write_table(pa.table(columns), place.root / name)


ALL = {"s": "string", "i": "integer", "d": "double", "b": "boolean", "t": "timestamp", "y": "date"}


def test_parquet_columns_are_cast_to_what_is_declared(place: Place) -> None:
    parquet(
        place, "rows.parquet", y=pa.array([utc("2026-01-02T03:00")], pa.timestamp("ms")), b=[True],
        d=pa.array([1], pa.int8()), t=pa.array([1_000_000_000], pa.timestamp("ns")), i=[2.0], more=["left out"],
        s=pa.array(["x"]).dictionary_encode(),
    )  # fmt: skip
    (row,) = rows(place, source("rows", ALL))
    assert row == {"s": "x", "i": 2, "d": 1.0, "b": True, "t": utc("1970-01-01T00:00:01"), "y": date(2026, 1, 2)}


def test_instants_with_and_without_a_zone_are_utc(place: Place) -> None:
    parquet(
        place,
        "rows.parquet",
        naive=pa.array([0], pa.timestamp("us")),
        aware=pa.array([0], pa.timestamp("us", "Asia/Tokyo")),
    )
    (row,) = rows(place, source("rows", {"naive": "timestamp", "aware": "timestamp"}))
    assert row["naive"] == row["aware"] == utc("1970-01-01")


def test_files_that_store_columns_in_other_types_and_orders_are_one_table(place: Place) -> None:
    parquet(place, "a.parquet", n=pa.array([1], pa.int32()), s=["x"])
    parquet(place, "b.parquet", s=["y"], n=[2.0])
    parquet(place, "c.parquet", s=["z"], n=pa.array([None], pa.null()))
    found = rows(place, source("rows", {"n": "integer", "s": "string"}, path="*.parquet"))
    assert found == [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}, {"n": None, "s": "z"}]


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("integer", [1.0, 1.5], "`n` is declared as integer and holds 1.5 in "),
        ("integer", ["1", "x"], "`n` is declared as integer and holds x in "),
        ("double", ["?"], "`n` is declared as double and holds ? in "),
        ("timestamp", ["yesterday"], "`n` is declared as timestamp and holds yesterday in "),
        ("integer", [1e30], "`n` is declared as integer and holds 1e+30 in "),
        (
            "integer",
            pa.array([2**64 - 1], pa.uint64()),
            "`n` is declared as integer and holds 18446744073709551615 in ",
        ),
        ("timestamp", [17], "`n` is declared as timestamp and holds 17 in "),
        ("double", ["?" * 1000], f"`n` is declared as double and holds {'?' * 100} in "),
        ("boolean", [[1]], "`n` is declared as boolean and holds [1] in "),
    ],
)
def test_a_value_that_is_not_what_was_declared_is_named(place: Place, kind: str, values: list[Any], words: str) -> None:
    parquet(place, "rows.parquet", n=values)
    assert f"source `rows`: {words}" in refused(place, source("rows", {"n": kind})).reason


def test_what_a_file_begins_with_is_not_repeated(place: Place) -> None:
    (place.root / "rows.csv").write_text("AWS_SECRET_ACCESS_KEY=canary,more\n")
    error = refused(place, csv_source({"amount": "double"}))
    assert error.hint == "it has 2 others"
    assert "canary" not in str(error)


def test_a_folder_that_python_takes_for_a_package_is_none(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.root / "state").mkdir()
    (place.root / "state" / "rows.csv").write_text("n\n1\n")
    monkeypatch.syspath_prepend(place.root)
    assert "is not installed" in refused(place, csv_source({"n": "integer"}, "package:state/rows.csv")).reason


def test_what_can_be_told_before_reading_is_told(place: Place) -> None:
    parquet(place, "rows.parquet", amount=[1])
    error = refused(place, source("rows", {"amont": "double"}))
    assert "rows.parquet has no column `amont`" in error.reason
    assert error.hint == "did you mean `amount`?"
    parquet(place, "second.parquet", other=[1])
    error = refused(place, source("rows", {"amount": "double"}, path="*.parquet"))
    assert "second.parquet has no column `amount`" in error.reason
    (place.root / "rows.parquet").write_text("amount\n1\n")
    assert "is not a Parquet file" in refused(place, source("rows", {"amount": "double"})).reason
    error = refused(place, source("rows", {"amount": "double"}, path="data/rows/*.parquet"))
    assert "there is no file data/rows/*.parquet" in error.reason
    assert ". holds rows.parquet, scratch, second.parquet" in error.hint


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"a": "double", "A": "double"}, "the same name to SQL"), ({"__row": "integer"}, "begins with two underscores")],
)
def test_names_that_sql_cannot_tell_apart_are_refused(place: Place, columns: dict[str, str], words: str) -> None:
    parquet(place, "rows.parquet", **{name: [1] for name in columns})
    assert words in refused(place, source("rows", columns)).reason


def test_names_are_quoted_whatever_they_hold(place: Place) -> None:
    name = 'a "b"; DROP TABLE rows; --'
    parquet(place, "it's [1].parquet", **{name: [1]})
    assert rows(place, source("rows", {name: "integer"}, path="it's [[]1].parquet")) == [{name: 1}]


@pytest.mark.parametrize("path", ["s3://bucket/rows.parquet", "http://localhost/rows.parquet", "file:///etc/passwd"])
def test_addresses_are_not_read(place: Place, path: str) -> None:
    assert "is an address, not a path" in refused(place, source("rows", {"n": "integer"}, path=path)).reason


def test_a_file_of_a_package_is_found_without_importing_it(place: Place) -> None:
    iris = source(
        "iris", {"length": "double", "width": "double", "c": "double", "d": "double", "species": "integer"},
        format="csv", path="package:sklearn/datasets/data/iris.csv",
        csv={"skip": 1, "names": ["length", "width", "c", "d", "species"]},
    )  # fmt: skip
    found = rows(place, iris)
    assert len(found) == 150
    assert found[0] == {"length": 5.1, "width": 3.5, "c": 1.4, "d": 0.2, "species": 0}
    for path, words in (("nothing_here/x.csv", "is not installed"), ("../x.csv", "is not installed"),
                        ("sklearn/../x.csv", "names no file of its package"),
                        ("sklearn//etc/passwd", "names no file of its package"),
                        ("sklearn", "names no file of its package")):  # fmt: skip
        assert words in refused(place, source("iris", {"n": "integer"}, format="csv", path=f"package:{path}")).reason


def csv(place: Place, text: str, name: str = "rows.csv") -> None:
    (place.root / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


def csv_source(columns: dict[str, str], path: str = "rows.csv", **layout: Any) -> Source:
    return source("rows", columns, format="csv", path=path, **({"csv": layout} if layout else {}))


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_is_read_by_name_with_quotes_gaps_and_zones(place: Place, name: str) -> None:
    csv(
        place,
        "\ufefft,skipped,i,,s,b\r\n"
        '2026-01-01 10:00:00,"x, y",1,z,"a, ""b""",true\r\n'
        "2026-01-01T10:00:00+03:00,,,z,,false\r\n"
        "2026-01-01T10:00:00.250Z,,3,,plain,\r\n",
        name,
    )
    assert rows(place, csv_source({"s": "string", "i": "integer", "b": "boolean", "t": "timestamp"}, name)) == [
        {"s": 'a, "b"', "i": 1, "b": True, "t": utc("2026-01-01T10:00")},
        {"s": None, "i": None, "b": False, "t": utc("2026-01-01T07:00")},
        {"s": "plain", "i": 3, "b": None, "t": utc("2026-01-01T10:00:00.250")},
    ]


def test_csv_without_a_header_and_with_another_delimiter(place: Place) -> None:
    csv(place, "a note\n1;-;x\n2;-;y\n")
    layout: dict[str, Any] = {"skip": 1, "delimiter": ";", "names": ["n", "skipped", "s"]}
    found = rows(place, csv_source({"s": "string", "n": "integer"}, **layout))
    assert found == [{"s": "x", "n": 1}, {"s": "y", "n": 2}]
    assert "has no column `m`" in refused(place, csv_source({"m": "integer"}, **layout)).reason


def test_csv_files_with_other_headers_are_one_table(place: Place) -> None:
    csv(place, "n,s\n1,x\n", "a.csv")
    csv(place, "s,more,n\ny,-,2\n", "b.csv")
    assert rows(place, csv_source({"n": "integer", "s": "string"}, "*.csv")) == [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}]


def test_csv_mistakes_name_file_line_column_and_value(place: Place) -> None:
    csv(place, "n\n1\noops\n")
    reason = refused(place, csv_source({"n": "integer"})).reason
    assert str(place.root / "rows.csv") in reason
    assert "Line: 3" in reason
    assert "oops" in reason
    assert '"n"' in reason
    csv(place, "n,n\n1,2\n")
    assert "has several columns `n`" in refused(place, csv_source({"n": "integer"})).reason
    csv(place, "m\n1\n")
    assert "has no column `n`" in refused(place, csv_source({"n": "integer"})).reason
    csv(place, "")
    assert "has no line that names its columns" in refused(place, csv_source({"n": "integer"})).reason
    csv(place, f"n\n1\n{'x' * 100_000}\n")
    reason = refused(place, csv_source({"n": "integer"})).reason
    assert "Line: 3" in reason
    assert '"n"' in reason
    assert len(reason) < 1000
    (place.root / "rows.csv").write_bytes(b"\xff\xfe\x00")
    assert "is not a CSV file" in refused(place, csv_source({"n": "integer"})).reason


def test_rows_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    place = Place(tmp_path, threads=4)
    for file in range(4):
        numbers = pa.table({"n": range(file * 50_000, (file + 1) * 50_000)})
        pq.write_table(numbers, tmp_path / f"{file}.parquet", row_group_size=5_000)
    found = rows(place, source("rows", {"n": "integer"}, path="*.parquet"), "row_number() OVER () - 1 AS place, n")
    assert all(row["place"] == row["n"] for row in found)
