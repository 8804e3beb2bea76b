"""Authors write paths, and the platform follows them: into the operator's folders, whatever leads out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidData, UsageError
from modelyard.features.engine import SourceRows
from modelyard.features.source_places import SourcePlaces, check_apart
from tests.features.builders import Place, source

if TYPE_CHECKING:
    from pathlib import Path

IRIS = "package:sklearn/datasets/data/iris.csv"


def csv_at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("n\n1\n")
    return path


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """The operator's folder, beside files that are nobody's sources."""
    csv_at(tmp_path / "allowed" / "2026" / "rows.csv")
    csv_at(tmp_path / "allowed-not" / "rows.csv")
    csv_at(tmp_path / "secret" / "token")
    return tmp_path / "allowed"


def read(allowed: tuple[str, ...] | None, root: Path, path: str) -> int:
    place = Place(root, places=SourcePlaces(allowed))
    with place.engine.session({"rows": SourceRows(source("rows", {"n": "integer"}, format="csv", path=path))}) as made:
        return int(made.fetch("SELECT count(*) AS rows FROM rows")["rows"][0].as_py())


@pytest.mark.parametrize("path", ["{}/2026/rows.csv", "{}/*/rows.csv", "{}/**/*.csv", "{}/2026/../2026/rows.csv"])
def test_what_lies_in_an_allowed_folder_is_read(allowed: Path, path: str) -> None:
    assert read((f"{allowed}/",), allowed.parent, path.format(allowed)) == 1
    assert read((str(allowed),), allowed.parent, path.format("allowed")) == 1, "relative to the project's folder"


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "{}/secret/token",
        "secret/token",
        "allowed/../secret/token",
        "allowed/*/../../secret/token",
        "allowed/[2]026/../../secret/token",
        "allow*/2026/rows.csv",
        "allowed-not/rows.csv",
        "**/token",
        "/",
        "{}/secret/nothing-here",
    ],
)
def test_nothing_else_is_read_nor_looked_for(allowed: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.features.duckdb_sources.glob.glob", lambda *_, **__: pytest.fail("it looks"))
    path = path.format(allowed.parent)
    with pytest.raises(InvalidData) as caught:
        read((str(allowed),), allowed.parent, path)
    assert caught.value.reason == f"source `rows`: {path} lies where no source may"
    assert f"sources lie below {allowed}, in installed packages" in caught.value.hint


def test_links_are_followed_before_they_are_believed(allowed: Path) -> None:
    (allowed / "token.csv").symlink_to(allowed.parent / "secret" / "token")
    (allowed / "out").symlink_to(allowed.parent / "secret")
    for path in ("allowed/token.csv", "allowed/*.csv", "allowed/out/token", "allowed/**/token"):
        with pytest.raises(InvalidData, match="lies where no source may"):
            read((str(allowed),), allowed.parent, path)
    (allowed.parent / "mounted").symlink_to(allowed)
    assert read((str(allowed.parent / "mounted"),), allowed.parent, "mounted/2026/rows.csv") == 1


def test_a_folder_that_is_not_there_shows_nothing_of_those_around_it(allowed: Path) -> None:
    missing = str(allowed / "missing")
    with pytest.raises(InvalidData) as caught:
        read((missing,), allowed.parent, f"{missing}/rows.csv")
    assert caught.value.hint == "the folder that sources may lie in is not there"


def test_packages_are_read_whatever_is_allowed(tmp_path: Path) -> None:
    names = ["length", "width", "c", "d", "species"]
    iris = source(
        "iris", {"species": "integer"}, format="csv", path=IRIS, csv={"skip": 1, "names": names}
    )  # fmt: skip
    with Place(tmp_path, places=SourcePlaces(())).engine.session({"rows": SourceRows(iris)}) as session:
        assert session.fetch("SELECT count(*) AS rows FROM rows")["rows"][0].as_py() == 150
    csv_at(tmp_path / "rows.csv")
    with pytest.raises(InvalidData, match="sources lie in installed packages, nowhere else"):
        read((), tmp_path, "rows.csv")
    assert read(None, tmp_path, "rows.csv") == 1


def test_a_package_holds_its_own_files_alone(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = allowed.parent / "installed" / "kept"
    csv_at(package / "rows.csv")
    csv_at(package / "__init__.py")
    (package / "out").symlink_to(allowed.parent / "secret")
    (package / "token.csv").symlink_to(allowed.parent / "secret" / "token")
    monkeypatch.syspath_prepend(package.parent)
    assert read((), allowed, "package:kept/*s.csv") == 1
    for inside in (f"{allowed.parent}/secret/token", "out/token", "out/none.csv", "token.csv", "**/token"):
        with pytest.raises(InvalidData) as caught:
            read((), allowed, f"package:kept/{inside}")
        assert "names no file" in caught.value.reason or "lies where no source may" in caught.value.reason
        assert "token" not in caught.value.hint
    with pytest.raises(InvalidData, match="names no file of its package"):
        read(None, allowed, f"package:kept/{allowed.parent}/secret/token")


def test_the_platforms_own_stores_are_never_sources() -> None:
    own = ("s3://yard/datasets", "s3://yard/registry")
    for allowed in (None, ("s3://yard",), own):
        places = SourcePlaces(allowed, never=own)
        assert not places.permit("s3://yard/datasets/predictions/x.parquet")
        assert not places.permit("s3://yard/registry/models/x")
        assert not places.permit("s3://yard/data/../registry/models/x")
    assert SourcePlaces(("s3://yard",), never=own).permit("s3://yard/datasets-of-others/x.parquet")


@pytest.mark.parametrize("place", ["s3://yard", "s3://yard/datasets/", "s3://yard/datasets/loans"])
def test_an_operator_who_allows_them_is_told(place: str) -> None:
    with pytest.raises(UsageError, match="and s3://yard/datasets is the platform's own"):
        check_apart(["/data", place], ["s3://yard/datasets"])
    check_apart(["/data", "s3://yard/data", "s3://yard-2"], ["s3://yard/datasets"])
