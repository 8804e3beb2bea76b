from pathlib import Path

import pytest

from modelyard.config.discovery import document_files, find_project, find_projects
from modelyard.errors import NotFound


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "one/modelyard.yaml", "one/models/a.yaml", "one/models/b.yml", "one/models/c.sql.j2", "one/.hidden/d.yaml",
        "one/.pre-commit-config.yaml", "one/inner/modelyard.yaml", "one/inner/e.yaml", "one/inner/deeper/f.yaml",
        "two/modelyard.yaml", "neither/g.yaml",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def test_a_project_is_found_upward_from_folders_and_files(tree: Path) -> None:
    for start in ("one", "one/models", "one/models/a.yaml", "one/.hidden"):
        assert find_project(tree / start) == tree / "one"
    assert find_project(tree / "one/inner/deeper") == tree / "one/inner"


def test_where_there_is_none_the_hint_says_how_to_begin(tree: Path) -> None:
    with pytest.raises(NotFound, match=r"no modelyard\.yaml") as told:
        find_project(tree / "neither")
    assert "modelyard init" in told.value.hint


def test_every_project_below_is_found_where_there_is_none_above(tree: Path) -> None:
    assert find_projects(tree) == [tree / "one", tree / "one/inner", tree / "two"]
    assert find_projects(tree / "one") == [tree / "one"]
    for path, reason in (("neither", "above it or below it"), ("nowhere", "there is no `")):
        with pytest.raises(NotFound, match=reason):
            find_projects(tree / path)


def test_documents_are_the_yaml_files_but_hidden_ones_and_other_projects(tree: Path) -> None:
    names = [path.relative_to(tree / "one").as_posix() for path in document_files(tree / "one")]
    assert names == ["modelyard.yaml", "models/a.yaml", "models/b.yml"]
