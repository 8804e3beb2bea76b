"""Whatever is done to documents, a project loads or its problems are told: nothing else comes out of the loader."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelyard.config.examples import example_text
from modelyard.config.kinds import KINDS
from modelyard.config.loader import load_project
from modelyard.config.problems import ConfigErrors, Problem

TEXTS = {"modelyard" if kind == "Project" else kind: example_text(kind) for kind in KINDS}
QUERY = (
    "select borrower_id, 1 as one from {{ source('loans') }} join {{ ref('borrower_history') }} using (borrower_id)\n"
)
TEXTS["FeatureSet"] += (
    "---\napiVersion: modelyard/v1\nkind: FeatureSet\nname: one\nentity: borrower_id\nquery: one.sql.j2\n"
)
PIECES = st.sampled_from([
    "", " ", "\n", "  ", ":", ": ", "- ", "[", "]", "{", "}", ",", '"', "'", "${", "${market}", "${x}", "$${", "null",
    "~", "true", "NO", "0", "-1", "1.5", "1e400", "2026-01-31", "use: ", "with: ", "name: ", "kind: ", "source: ",
    "for_each: ", "*a", "&a ", "!!int ", "|", ">", "#", "---\n", "...\n", "\t", "é", "select", "{{", "{%", "}}",
    "(", ")", "a.b.C",
])  # fmt: skip
DAMAGE = st.tuples(st.sampled_from([*TEXTS, "one.sql.j2"]), st.floats(0, 1), st.integers(0, 12), PIECES)


@settings(max_examples=100)
@given(st.lists(DAMAGE, min_size=1, max_size=4))
@example([("one.sql.j2", 0.4765625, 10, "|")])
@example([("FeatureSet", 0.88671875, 0, "*a")])
def test_damaged_documents_are_problems(damages: list[tuple[str, float, int, str]]) -> None:
    texts = {**TEXTS, "one.sql.j2": QUERY}
    for name, where, length, piece in damages:
        start = round(where * len(texts[name]))
        texts[name] = texts[name][:start] + piece + texts[name][start + length :]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in texts.items():
            (folder / (file if file.endswith(".j2") else f"{file}.yaml")).write_text(text)
        for problem in problems_of(folder):
            assert problem.line >= 1
            assert problem.column >= 1
            assert problem.hint


def problems_of(folder: Path) -> list[Problem]:
    try:
        project = load_project(folder, variables={})
    except ConfigErrors as errors:
        return list(errors.problems)
    json.dumps([model.content() for model in project.models.values()], allow_nan=False)
    return []
