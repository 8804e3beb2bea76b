"""Acceptance: a folder of broken documents, each of which is reported with its place and a hint, in one run."""

import json
import shutil
from pathlib import Path

import pytest

from modelyard.cli.main import run

HERE = Path(__file__).parent
UNWRITABLE = {
    # What a repository of text files cannot hold.
    "bytes/byte_order_mark.yaml": (b"\xef\xbb\xbfkind: Source\n", 1, 1),
    "bytes/control_character.yaml": (b"kind: Source\nname: a\x07b\n", 2, 8),
    "bytes/escaped_control_character.yaml": (
        b'apiVersion: modelyard/v1\nkind: Source\nname: escaped\nformat: csv\npath: "a\\0"\ncolumns: {a: integer}\n',
        5,
        7,
    ),
    "bytes/latin_1.yaml": ("kind: Source\ndescription: é\n".encode("latin-1"), 2, 14),
    "bytes/large.yaml": (b"# " + b"x" * (1 << 20), 1, 1),
    "bytes/nothing.yaml": (b"", 1, 1),
    "bytes/utf_16.yaml": ("kind: Source\n".encode("utf-16"), 1, 1),
}


def expected() -> set[tuple[str, str]]:
    """The file with line and column, and the field, of each mistake."""
    lines = (HERE / "broken_places.txt").read_text().splitlines()
    places = {(place, field) for place, _, field in (line.partition("  ") for line in lines)}
    return places | {(f"{name}:{line}:{column}", "") for name, (_, line, column) in UNWRITABLE.items()}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(HERE / "broken", tmp_path / "broken")
    (folder / "bytes").mkdir()
    for name, (content, _, _) in UNWRITABLE.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("BROKEN_FOLDS", "many")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("broken")
def test_one_run_reports_every_mistake_with_its_place_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--json"]) == 65
    problems = json.loads(capsys.readouterr().out)["problems"]
    found = {(f"{problem['file']}:{problem['line']}:{problem['column']}", problem["field"]) for problem in problems}
    assert found == expected()
    assert len(problems) == len(found) > 100
    assert [problem for problem in problems if not problem["reason"] or not problem["hint"]] == []


@pytest.mark.usefixtures("broken")
def test_the_report_is_sorted_and_reads_as_compilers_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "."]) == 65
    told = capsys.readouterr()
    assert "models/parameter.yaml:9:8  with.strenght  the architecture `logistic` has no parameter" in told.out
    assert "\n  hint: did you mean `strength`?\n" in told.out
    files = [line.split(":")[0] for line in told.out.splitlines() if not line.startswith("  ")]
    assert files == sorted(files)
    assert told.err == f"{len(expected())} problems in {len({place.split(':')[0] for place, _ in expected()})} files\n"


def test_every_file_of_the_fixture_has_a_mistake_or_is_named_sound(broken: Path) -> None:
    named = {place.split(":")[0] for place, _ in expected()}
    files = {path.relative_to(broken).as_posix() for path in broken.rglob("*.*") if path.is_file()}
    helped = {name.replace(".sql.j2", ".yaml") for name in named if name.endswith(".sql.j2")}
    circle = {f"features/circle_{letter}{end}" for letter in "abc" for end in (".yaml", ".sql.j2")}
    assert files - named - helped - circle - {"features/no_key.sql.j2"} == {
        name for name in files if name.startswith("sound/")
    }
