"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from modelyard.files import writing_whole

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"whole"


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    with writing_whole(path) as file:
        file.write(BODY)
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_that_can_not_be_written_leaves_what_was_there(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(BODY)
    with pytest.raises(ZeroDivisionError), writing_whole(path, durable=durable) as file:
        file.write(b"%d" % (1 // 0))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == BODY


def test_whoever_may_read_new_files_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with writing_whole(tmp_path / "file.json") as file:
            file.write(BODY)
    finally:
        os.umask(before)
    assert (tmp_path / "file.json").stat().st_mode & 0o777 == 0o640
