"""A session sees its relations and nothing else, spills what does not fit, and cleans up."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.errors import InvalidData, ModelyardError, StorageFull
from modelyard.features import duckdb as module
from modelyard.features.duckdb import DuckDBEngine
from modelyard.features.engine import FileRows, PartitionRows, SourceRows
from tests.features.builders import Place, source, utc

NUMBERS = source("numbers", {"n": "integer", "happened": "timestamp"})


@pytest.fixture
def written(place: Place) -> Place:
    place.write(NUMBERS, [{"n": n, "happened": utc(f"2026-01-0{n}")} for n in (1, 2, 3)])
    (place.root / "other.csv").write_text("secret\n1\n")
    return place


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_csv('{root}/other.csv')",
        "FROM '{root}/other.csv'",
        "FROM read_text('/etc/passwd')",
        "FROM glob('/etc/*')",
        "FROM sniff_csv('{root}/other.csv')",
        "ATTACH '{root}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "COPY (SELECT 1) TO '{root}/out.csv'",
        "EXPORT DATABASE '{root}/out'",
        "FROM duckdb_secrets()",
        "SELECT getenv('HOME') FROM rows",
        "FROM read_csv('/proc/self/environ')",
    ],
)
def test_nothing_else_on_the_machine_can_be_reached(written: Place, statement: str) -> None:
    with written.engine.session({"rows": SourceRows(NUMBERS)}, writable=written.root / "mine") as session:
        with pytest.raises(InvalidData):
            session.create("x", statement.format(root=written.root).replace("FROM", "SELECT * FROM", 1))
        with pytest.raises(InvalidData):
            session._execute(statement.format(root=written.root))
        assert session.fetch("SELECT sum(n) AS total FROM rows")["total"][0].as_py() == 6
    assert sorted(path.name for path in written.root.iterdir()) == ["numbers.parquet", "other.csv", "scratch"]


def test_rows_are_read_made_added_and_written(written: Place, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with written.engine.session({"rows": SourceRows(NUMBERS)}, writable=tmp_path / "mine") as session:
        session.put("given", pa.table({"n": [10]}))
        session.create("made", "SELECT n FROM rows WHERE happened < $until", {"until": utc("2026-01-03"), "unused": 1})
        session.append("made", "SELECT n FROM given WHERE n > $least", {"least": 5})
        assert session.columns("SELECT *, n / 2 AS half, happened::DATE AS day, 'x' AS x, true AS y FROM rows") == {
            "n": "integer", "happened": "timestamp", "half": "double", "day": "date", "x": "string", "y": "boolean",
        }  # fmt: skip
        assert session.columns("SELECT [1] AS list, sum(n) AS total FROM rows") == {
            "list": "INTEGER[]",
            "total": "integer",
        }
        session.write("SELECT * FROM made ORDER BY n DESC", tmp_path / "mine" / "made.parquet")
        session.drop("made")
        with pytest.raises(InvalidData, match="made does not exist"):
            session.fetch("SELECT * FROM made")
        batches = list(session.batches("SELECT * FROM range(5000) r(n)", rows=2048))
    assert pq.read_table(tmp_path / "mine" / "made.parquet")["n"].to_pylist() == [10, 2, 1]
    assert sum(len(batch) for batch in batches) == 5000
    assert max(len(batch) for batch in batches) <= 2048


def test_instants_are_utc_whatever_the_machine_says(written: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    with written.engine.session({"rows": SourceRows(NUMBERS)}) as session:
        assert session.fetch("SELECT date_trunc('day', max(happened)) AS day FROM rows")["day"][0].as_py() == utc(
            "2026-01-03"
        )
    monkeypatch.undo()
    time.tzset()


def test_partitions_are_read_by_the_ranges_that_count(place: Place) -> None:
    file = str(place.root / "shared.parquet")
    instants = [utc(f"2026-01-0{day}") for day in (1, 2, 3, 4)]
    pq.write_table(pa.table({"as_of": pa.array(instants, pa.timestamp("us", "UTC")), "n": [1, 2, 3, 4]}), file)
    again = str(place.root / "again.parquet")
    pq.write_table(pa.table({"n": [30], "as_of": pa.array([instants[2]], pa.timestamp("us", "UTC"))}), again)
    ranges = (
        (instants[0].isoformat(), instants[2].isoformat()),
        (instants[3].isoformat(), utc("2026-01-05").isoformat()),
    )
    rows = PartitionRows((FileRows((again,)), FileRows((file,), "as_of", ranges)))
    with place.engine.session({"values": rows}) as session:
        assert session.fetch("SELECT n FROM values ORDER BY as_of")["n"].to_pylist() == [1, 2, 30, 4]


def test_what_does_not_fit_is_spilled_and_removed(tmp_path: Path) -> None:
    engine = DuckDBEngine(tmp_path, tmp_path / "scratch", memory_limit="64MiB", threads=1)
    with engine.session({}) as session:
        session.create("large", "SELECT i, md5(i::VARCHAR) AS text FROM range(2000000) r(i)")
        (spill,) = (tmp_path / "scratch").iterdir()
        assert any(spill.iterdir())
        assert session.fetch("SELECT count(*) AS rows FROM large")["rows"][0].as_py() == 2_000_000
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_scratch_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from modelyard.features.duckdb import DuckDBEngine\n"
        "with DuckDBEngine(Path(sys.argv[1]), Path(sys.argv[1]) / 'scratch').session({}) as session:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60).returncode == -9
    (left,) = (tmp_path / "scratch").iterdir()
    engine = DuckDBEngine(tmp_path, tmp_path / "scratch")
    with engine.session({}):
        assert left.exists()  # so young that its process may be about to lock it
    old = time.time() - 3600
    os.utime(left, (old, old))
    with engine.session({}), engine.session({}):
        assert not left.exists()


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("SELECT nothing FROM rows", InvalidData, "nothing"),
        ("SELECT CAST('x' AS INTEGER) AS n", InvalidData, "Could not convert string 'x'"),
        ("SELECT error('as said')", InvalidData, "as said"),
    ],
)
def test_errors_say_what_was_wrong_without_the_statement(
    written: Place, sql: str, kind: type[ModelyardError], words: str
) -> None:
    with written.engine.session({"rows": SourceRows(NUMBERS)}) as session, pytest.raises(kind) as caught:
        session.fetch(sql)
    assert words in caught.value.reason
    assert "LINE" not in caught.value.reason
    assert "\n" not in caught.value.reason


def test_too_little_memory_and_a_full_disk_are_named(tmp_path: Path) -> None:
    engine = DuckDBEngine(tmp_path, tmp_path / "scratch", memory_limit="10MiB", threads=1)
    with engine.session({}) as session, pytest.raises(ModelyardError, match="memory does not suffice"):
        session.fetch("SELECT list(i || 'some text') AS everything FROM range(3000000) r(i)")
    import duckdb

    for words in ("No space left on device", "File too large", "Disk quota exceeded"):
        with pytest.raises(StorageFull, match="no room is left"), module._plain_errors({}):
            raise duckdb.IOException(f"IO Error: Could not write file: {words}")  # noqa: EM102 - as DuckDB says it
    with pytest.raises(InvalidData, match="not open"), module._plain_errors({}):
        raise duckdb.IOException("IO Error: not open")  # noqa: EM101 - as DuckDB says it
