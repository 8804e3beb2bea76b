"""Files that were fetched: whole and verified, and no more of them than there is room for."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import IntegrityError, Unavailable
from modelyard.filecache import IN_USE, FileCache, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Store:
    """Hands out bytes, and counts how often."""

    def __init__(self) -> None:
        self.reads = 0

    def wanted(self, content: bytes, sent: bytes | None = None, *, known: bool = True) -> Wanted:
        def read() -> Iterator[bytes]:
            self.reads += 1
            yield from (content if sent is None else sent,)

        digest = hashlib.sha256(content).hexdigest()
        return Wanted(digest, ".parquet", len(content), digest if known else None, read, "the file")


def age(path: Path) -> None:
    before = time.time() - IN_USE - 60
    os.utime(path, (before, before))


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache")
    wanted = [store.wanted(b"one"), store.wanted(b"two"), store.wanted(b"one")]
    paths = cache.fetch(wanted)
    assert [path.read_bytes() for path in paths] == [b"one", b"two", b"one"]
    assert FileCache(tmp_path / "cache").fetch(wanted) == paths
    assert store.reads == 2
    assert {path.suffix for path in paths} == {".parquet"}


@pytest.mark.parametrize("sent", [b"", b"on", b"one!", b"eno"])
def test_other_bytes_are_not_kept(tmp_path: Path, sent: bytes) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache")
    with pytest.raises(IntegrityError, match="the file has"):
        cache.fetch([store.wanted(b"one", sent)])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert cache.fetch([store.wanted(b"one")])[0].read_bytes() == b"one"


def test_a_file_whose_digest_nobody_knows_has_a_size_at_least(tmp_path: Path) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache")
    assert cache.fetch([store.wanted(b"one", b"eno", known=False)])[0].read_bytes() == b"eno"
    with pytest.raises(IntegrityError, match="3 bytes instead of 5"):
        cache.fetch([store.wanted(b"three", b"two", known=False)])


def test_half_a_file_after_a_loss_of_power_is_fetched_again(tmp_path: Path) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache")
    path = cache.fetch([store.wanted(b"one")])[0]
    path.write_bytes(b"o")
    assert cache.fetch([store.wanted(b"one")])[0].read_bytes() == b"one"


def test_a_store_that_does_not_answer_leaves_nothing(tmp_path: Path) -> None:
    def read() -> Iterator[bytes]:
        yield b"on"
        msg = "gone"
        raise Unavailable(msg)

    wanted = Store().wanted(b"one")
    with pytest.raises(Unavailable):
        FileCache(tmp_path).fetch([Wanted(wanted.key, ".csv", 3, wanted.sha256, read, "the file")])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache", largest=10)
    old, used, open_ = cache.fetch([store.wanted(letter * 4) for letter in (b"a", b"b", b"c")])
    left = tmp_path / "cache" / "aa" / ".dead.part"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"torn")
    for path in (old, used, open_, left):
        age(path)
    with open_.open("rb") as reading:
        cache.fetch([store.wanted(b"b" * 4)])  # nothing is fetched, so nothing goes
        assert old.exists()
        new = cache.fetch([store.wanted(b"d" * 4)])[0]
        assert [path.exists() for path in (old, used, open_, left, new)] == [False, True, False, False, True]
        assert reading.read() == b"cccc"


def test_what_is_in_use_stays_however_much_it_is(tmp_path: Path) -> None:
    store, cache = Store(), FileCache(tmp_path / "cache", largest=0)
    paths = [cache.fetch([store.wanted(letter)])[0] for letter in (b"a", b"b", b"c")]
    assert [path.read_bytes() for path in paths] == [b"a", b"b", b"c"]
