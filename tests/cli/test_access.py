"""`modelyard token`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from modelyard.asgi.auth.file import read_auth_file
from modelyard.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_is_made_once_with_its_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["token", "ci-credit", "--role", "author", "--team", "credit-ke", "--team", "credit-ug"]) == 0
    made, entry = capsys.readouterr().out.splitlines()
    (tmp_path / "auth.yaml").write_text(f"tokens:\n{entry}\n")
    (said,) = read_auth_file(tmp_path / "auth.yaml").tokens
    assert (said.name, said.roles, said.teams) == ("ci-credit", ("author",), ("credit-ke", "credit-ug"))
    assert said.sha256 == hashlib.sha256(made.encode()).hexdigest()
    assert made not in entry
    assert run(["token", "somebody", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["entry"]["roles"] == ["viewer"]
    assert hashlib.sha256(content["token"].encode()).hexdigest() == content["entry"]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a b"], "name"),
        (["a", "--role", "root"], "roles.0"),
        (["a", "--role", "author"], "changes things of `teams`"),
        (["a", "--role", "operator", "--team", "x"], "acts for all teams"),
    ],
)
def test_a_token_that_would_be_refused_is_not_made(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(["token", *arguments]) == 64
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ""
