from pathlib import Path

import pytest

from modelyard.config import bundles
from modelyard.config.bundles import bundle_digest, bundle_name, read_bundle
from modelyard.errors import InvalidData, NotFound


def test_the_digest_is_of_paths_and_bytes(tmp_path: Path) -> None:
    package = tmp_path / "estimators"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "woe.py").write_text("x = 1\n")
    files = read_bundle(tmp_path, "./estimators")
    assert list(files) == ["__init__.py", "inner/woe.py"]
    (package / "notes.txt").write_text("not code")
    assert bundle_digest(read_bundle(tmp_path, "estimators")) == bundle_digest(dict(reversed(files.items())))
    (package / "inner" / "woe.py").rename(package / "inner" / "iv.py")
    assert bundle_digest(read_bundle(tmp_path, "./estimators")) != bundle_digest(files)


def test_a_byte_that_moves_from_one_file_to_the_next_changes_the_digest() -> None:
    assert bundle_digest({"a.py": b"xy", "b.py": b"z"}) != bundle_digest({"a.py": b"x", "b.py": b"yz"})


def test_the_name_in_pipelines_is_dotted() -> None:
    assert bundle_name("./lib/estimators") == "lib.estimators"


def test_a_folder_without_python_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Python file"):
        read_bundle(tmp_path, "./estimators")


def test_links_and_crowds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "estimators"
    package.mkdir()
    (package / "a.py").write_text("")
    monkeypatch.setattr(bundles, "MAX_FILES", 1)
    (package / "b.py").write_text("")
    with pytest.raises(InvalidData, match="more than 1 files"):
        read_bundle(tmp_path, "./estimators")
    (package / "b.py").unlink()
    (package / "a.py").unlink()
    (package / "a.py").symlink_to(tmp_path / "other.py")
    with pytest.raises(InvalidData, match="is a link"):
        read_bundle(tmp_path, "./estimators")
