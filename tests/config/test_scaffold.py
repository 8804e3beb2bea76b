from importlib.util import find_spec
from pathlib import Path

import pytest

from modelyard.config.loader import load_project
from modelyard.config.scaffold import project_name, write_project
from modelyard.errors import Unavailable, UsageError


def test_a_first_project_is_sound_and_complete(tmp_path: Path) -> None:
    folder = tmp_path / "Credit Risk"
    written = write_project(folder)
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(written)
    project = load_project(folder, variables={})
    assert (project.name, sorted(project.models)) == ("credit_risk", ["malignant_forest", "malignant_logistic"])
    assert project.warnings == ()
    assert {".gitignore", ".pre-commit-config.yaml", "README.md"} <= {path.name for path in written}
    assert "# credit_risk" in (folder / "README.md").read_text()


def test_every_document_names_a_schema_that_is_there(tmp_path: Path) -> None:
    for path in write_project(tmp_path):
        if path.suffix == ".yaml" and not path.name.startswith("."):
            first = path.read_text().splitlines()[0]
            assert first.startswith("# yaml-language-server: $schema=")
            assert (path.parent / first.partition("=")[2]).is_file()


def test_the_source_is_the_table_that_is_there(tmp_path: Path) -> None:
    package = find_spec("sklearn")
    assert package is not None
    write_project(tmp_path)
    source = load_project(tmp_path, variables={}).sources["tumours"]
    file = Path(str(package.origin)).parent.parent / source.path.removeprefix("package:")
    head, first = file.read_text().splitlines()[:2]
    assert head == "569,30,malignant,benign"  # 0 is malignant: the names of the label's values, in their order
    assert len(first.split(",")) == len(source.columns) == 31


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    write_project(tmp_path)
    write_project(tmp_path)  # nothing differs
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "models" / "malignant.yaml").unlink()
    with pytest.raises(UsageError, match=r"already holds README\.md\n") as told:
        write_project(tmp_path)
    assert "nothing was written" in told.value.hint
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / "models" / "malignant.yaml").exists()


def test_a_file_where_the_folder_is_due_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(Unavailable, match=r"taken/\.gitignore`: (File exists|Not a directory)"):
        write_project(tmp_path / "taken")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Credit Risk", "credit_risk"),
        ("2026", "project_2026"),
        ("a", "a"),
        ("é", "project"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_project_is_named_after_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert project_name(tmp_path / folder) == name
