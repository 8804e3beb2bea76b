"""Sources in S3: found, fetched once for each state, read as files are, and named as people know them."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.errors import InvalidData, ModelyardError, UsageError
from modelyard.features.engine import SourceRows
from modelyard.features.s3_sources import S3Sources
from modelyard.features.source_places import SourcePlaces
from modelyard.filecache import FileCache
from modelyard.s3 import Bucket
from tests.buckets import new_bucket, use_s3
from tests.features.builders import Place, source
from tests.proxies.http import FaultyProxy
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.config.kinds import Source

pytestmark = pytest.mark.server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in new_bucket(monkeypatch):
        yield Bucket(name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, remote=S3Sources(FileCache(tmp_path / "cache")))


def parquet(bucket: Bucket, key: str, **columns: Any) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    bucket.put(key, sink.getvalue())


def rows(place: Place, of: Source) -> list[dict[str, Any]]:
    with place.engine.session({of.name: SourceRows(of)}) as session:
        found: list[dict[str, Any]] = session.fetch(f'SELECT * FROM "{of.name}"').to_pylist()  # noqa: S608 - the names are the test's own
    return found


def test_objects_are_found_by_pattern(bucket: Bucket, place: Place) -> None:
    keys = ("loans/a.parquet", "loans/b.parquet", "loans/.hidden.parquet", "loans/x/y/c.parquet", "loans/_SUCCESS")
    for number, key in enumerate(keys):
        parquet(bucket, key, n=[number])

    def found(pattern: str) -> list[int]:
        read = rows(place, source("loans", {"n": "integer"}, path=f"s3://{bucket.name}/{pattern}"))
        return [row["n"] for row in read]

    assert found("loans/a.parquet") == [0]
    assert found("loans/*.parquet") == [0, 1]
    assert found("loans/?.parquet") == [0, 1]
    assert found("loans/[!a].parquet") == [1]
    assert found("loans/**/*.parquet") == [0, 1, 3]
    assert found("**/c.parquet") == [3]


def test_nothing_is_read_or_listed_but_what_is_allowed(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("data/loans/a.parquet", "data-of-others/a.parquet", "data/own/a.parquet"):
        parquet(bucket, key, n=[1])
    address = f"s3://{bucket.name}"
    places = SourcePlaces((f"{address}/data/",), never=(f"{address}/data/own",))
    place = Place(tmp_path, remote=S3Sources(FileCache(tmp_path / "cache"), places))

    def read(path: str) -> int:
        return len(rows(place, source("loans", {"n": "integer"}, path=f"{address}/{path}")))

    assert read("data/loans/*.parquet") == read("data/loa*/a.parquet") == 1
    with pytest.raises(InvalidData, match="lies where no source may"):
        read("data/**/*.parquet")
    with pytest.raises(InvalidData, match="there is no object") as caught:
        read("data/nothing.parquet")
    assert "data-of-others" not in caught.value.hint
    monkeypatch.setattr(Bucket, "listed", lambda *_: pytest.fail("it looks"))
    for path in ("data-of-others/a.parquet", "data*/a.parquet", "data", "*", "data/../data-of-others/a.parquet",
                 "data/own/a.parquet", "data/own/nothing.parquet"):  # fmt: skip
        with pytest.raises(InvalidData, match="lies where no source may"):
            read(path)


def test_csv_is_read_packed_or_not(bucket: Bucket, place: Place) -> None:
    bucket.put("rows/a.csv", b"n,word\n1,one\n")
    bucket.put("rows/b.csv.gz", gzip.compress(b"n,word\n2,two\n"))
    of = source("rows", {"n": "integer", "word": "string"}, format="csv", path=f"s3://{bucket.name}/rows/*")
    assert rows(place, of) == [{"n": 1, "word": "one"}, {"n": 2, "word": "two"}]


def test_an_object_is_fetched_once_and_anew_when_it_changes(
    bucket: Bucket, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(bucket, "rows.parquet", n=[1])
    of = source("rows", {"n": "integer"}, path=f"s3://{bucket.name}/rows.parquet")
    with FaultyProxy(address_of("TEST_S3_URL")) as proxy:
        use_s3(monkeypatch, proxy.url)
        assert rows(place, of) == [{"n": 1}]
        assert rows(place, of) == [{"n": 1}]
        parquet(bucket, "rows.parquet", n=[2])
        assert rows(place, of) == [{"n": 2}]
        assert (
            len(
                [
                    path
                    for method, path in proxy.requests
                    if method == "GET" and "rows.parquet" in path.partition("?")[0]
                ]
            )
            == 2
        )


def test_errors_name_the_source_and_the_object(bucket: Bucket, place: Place) -> None:
    parquet(bucket, "folder/rows.parquet", n=["one"])
    bucket.put("folder/torn.parquet", b"PAR1")
    address = f"s3://{bucket.name}/folder/rows.parquet"

    def told(path: str, kind: type[ModelyardError] = InvalidData, **columns: str) -> ModelyardError:
        with pytest.raises(kind) as error:
            rows(place, source("rows", columns or {"n": "string"}, path=path))
        assert "source `rows`" in error.value.reason
        return error.value

    missing = told(f"s3://{bucket.name}/folder/*.csv")
    assert f"there is no object s3://{bucket.name}/folder/*.csv" in missing.reason
    assert "folder/rows.parquet" in missing.hint
    assert f"{address} has no column `m`" in told(address, m="string").reason
    assert f"holds one in {address}" in told(address, n="integer").reason
    assert "torn.parquet is not a Parquet file" in told(f"s3://{bucket.name}/folder/torn.parquet").reason
    assert "NoSuchBucket" in told(f"s3://{bucket.name}-other/rows.parquet", UsageError).reason


def test_the_engine_opens_no_connection_of_its_own(bucket: Bucket, place: Place) -> None:
    parquet(bucket, "rows.parquet", n=[1])
    of = source("rows", {"n": "integer"}, path=f"s3://{bucket.name}/rows.parquet")
    with (
        place.engine.session({"rows": SourceRows(of)}) as session,
        pytest.raises(InvalidData),
    ):
        session.fetch(f"SELECT * FROM read_parquet('s3://{bucket.name}/rows.parquet')")  # noqa: S608 - the names are the test's own
