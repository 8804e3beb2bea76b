"""The SQLite file: durability, migrations, waiting, damage, a full disk."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import IntegrityError, ModelyardError, StorageFull, Unavailable, UsageError
from modelyard.registry import layouts
from modelyard.registry.chains import BEGINNING, Head, link_hash
from modelyard.registry.metadata import Stale
from modelyard.registry.records import Event, ModelRecord
from modelyard.registry.sqlite import SqliteMetadata
from modelyard.registry.sqlite import database as databases
from modelyard.registry.sqlite.database import Database
from modelyard.registry.sqlite.schema import MIGRATIONS
from tests.registries import NOON
from tests.registry.making import apply, claim_of, definition, open_local, register

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "registry.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteMetadata]:
    with closing(SqliteMetadata(path)) as store:
        yield store


def pragma(path: Path, name: str) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_file_is_made_when_it_is_first_used(store: SqliteMetadata, path: Path) -> None:
    assert not path.parent.exists()
    store.ping()
    assert pragma(path, "journal_mode") == "wal"
    assert pragma(path, "user_version") == len(MIGRATIONS)
    assert store.check() == []


def test_what_is_acknowledged_waits_for_the_disk_and_a_claim_does_not(path: Path) -> None:
    with closing(_Open(path)) as database:
        with database.writing() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        with database.writing(durable=False) as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        with database.writing() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


class _Open(Database):
    """A database that closes with its test."""


def test_a_failed_transaction_leaves_nothing(path: Path) -> None:
    with closing(_Open(path)) as database:
        with pytest.raises(KeyError), database.writing() as connection:  # noqa: PT012 - the failure is inside
            connection.execute("INSERT INTO model_head (model) VALUES ('ke')")
            raise KeyError
        with database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM model_head").fetchone() == (0,)


def test_an_old_file_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteMetadata(path)) as old:
        old.ping()
    newer = (*MIGRATIONS, ("ALTER TABLE model_head ADD COLUMN colour TEXT", "UPDATE model_head SET colour = 'red'"))
    monkeypatch.setattr(databases, "MIGRATIONS", newer)
    with closing(_Open(path)) as database, database.reading() as connection:
        assert connection.execute("SELECT count(colour) FROM model_head").fetchone() == (0,)
    assert pragma(path, "user_version") == len(newer)


def test_the_events_of_an_old_file_are_chained(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MIGRATIONS", MIGRATIONS[:2])
    told = [Event(sequence=0, subject=f"model:m{n % 2}", type="model.revised", at=NOON, by="amina") for n in range(5)]
    with closing(_Open(path)) as database, database.writing() as connection:
        for event in told:
            row = (event.subject, 1, event.model_dump_json(exclude={"hash"}))
            connection.execute("INSERT INTO event (subject, layout, body) VALUES (?, ?, ?)", row)
    monkeypatch.undo()
    with closing(SqliteMetadata(path)) as store:
        events = store.changes(after=None, limit=10).items
        links = store.links("events", after=0, limit=10)
        assert store.chains() == (Head("events", 5, events[-1].hash),)
        assert [event.sequence for event in store.history("model:m1", page=None, limit=9).items] == [4, 2]
    assert [event.model_copy(update={"sequence": 0, "hash": ""}) for event in events] == told
    previous = BEGINNING
    for number, link in enumerate(links, start=1):
        assert (link.position, link.hash) == (number, link_hash(previous, link.layout, link.body))
        previous = link.hash


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteMetadata(path)) as old:
        old.ping()
    broken = (*MIGRATIONS, ("ALTER TABLE model_head ADD COLUMN colour TEXT", "ALTER TABLE nowhere ADD COLUMN x"))
    monkeypatch.setattr(databases, "MIGRATIONS", broken)
    with closing(SqliteMetadata(path)) as store, pytest.raises(ModelyardError, match="nowhere"):
        store.ping()
    monkeypatch.undo()
    with closing(_Open(path)) as database, database.reading() as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(model_head)")]
    assert "colour" not in columns


def test_a_newer_file_is_refused(path: Path) -> None:
    with closing(SqliteMetadata(path)) as store:
        store.ping()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with closing(SqliteMetadata(path)) as store, pytest.raises(UsageError, match="upgrade Modelyard"):
        store.ping()


def test_another_program_s_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    before = path.read_bytes()
    with closing(SqliteMetadata(path)) as store, pytest.raises(IntegrityError, match="another program"):
        store.ping()
    assert path.read_bytes() == before


def test_a_damaged_file_is_said_to_be_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, though long enough to be taken for one" * 100)
    with closing(SqliteMetadata(path)) as store, pytest.raises(IntegrityError, match="damaged, or no registry"):
        store.ping()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(SqliteMetadata(tmp_path / "file" / "registry.db")) as store, pytest.raises(UsageError, match="file"):
        store.ping()
    (tmp_path / "registry.db").mkdir()
    with closing(SqliteMetadata(tmp_path / "registry.db")) as store, pytest.raises(UsageError, match="can't be opened"):
        store.ping()


@pytest.mark.timeout(20)
def test_a_file_that_others_write_to_for_too_long_is_unavailable(path: Path) -> None:
    with closing(SqliteMetadata(path, busy_timeout=0.1)) as store:
        store.ping()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="try again"):
                store.drop_run(_run())
            assert store.models(page=None, limit=1).items == (), "readers do not wait for writers"
        with pytest.raises(Stale):
            store.drop_run(_run())


def _run() -> Any:
    from tests.registry.making import run_of

    return run_of()


def test_threads_wait_for_each_other_within_bounds(path: Path) -> None:
    with closing(_Open(path, busy_timeout=0.1)) as database:
        inside, done = threading.Event(), threading.Event()

        def hold() -> None:
            with database.writing():
                inside.set()
                done.wait(5)

        holder = threading.Thread(target=hold)
        holder.start()
        inside.wait(5)
        with pytest.raises(Unavailable, match="other threads"), database.writing():
            pass
        done.set()
        holder.join()


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    registry = open_local(tmp_path)
    apply(registry)
    database = registry._metadata._database  # type: ignore[attr-defined]
    with database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1")  # the file may not grow from here on
    large = definition(description="x" * 60_000)
    with pytest.raises(StorageFull, match="disk is full"):
        registry.apply_model(large, project="lender", expected_revision=1)
    assert registry.model("ke").revision == 1
    assert SqliteMetadata(tmp_path / "registry.db").check() == []


def test_many_threads_share_a_store(tmp_path: Path) -> None:
    registry = open_local(tmp_path)
    apply(registry)
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda number: registry.claim(claim_of(f"key {number}")), range(64)))
    assert sorted(claim.version.number for claim in claims) == list(range(1, 65))


# From Python 3.12 on, forking beside threads is warned of; what is shown is that it does no harm here.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_opens_connections_of_its_own(tmp_path: Path) -> None:
    registry = open_local(tmp_path)
    apply(registry)
    register(registry, tmp_path, "parent")
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    child = context.Process(target=_claim_in_child, args=(registry, answer))
    child.start()
    assert answer.get() == 2
    child.join()
    assert registry.claim(claim_of("after")).version.number == 3


def _claim_in_child(registry: LocalRegistry, answer: Any) -> None:
    answer.put(registry.claim(claim_of("child")).version.number)


def test_records_of_an_older_layout_are_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = open_local(tmp_path)
    apply(registry)

    def rename_team(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "team": f"team-{content['team']}"}

    monkeypatch.setattr(layouts, "UPGRADES", {ModelRecord: (rename_team,)})
    assert registry.model("ke").team == "team-credit-ke"
    apply(registry, seed=3)
    assert registry.model("ke").team == "credit-ke", "written anew, it has the new layout"
    monkeypatch.undo()
    with pytest.raises(UsageError, match="layout 2"):
        registry.model("ke")


def test_a_stored_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    registry = open_local(tmp_path)
    apply(registry)
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection, connection:
        connection.execute("UPDATE model SET body = '{\"name\": 1}'")
    with pytest.raises(IntegrityError, match="a stored ModelRecord"):
        registry.model("ke")
