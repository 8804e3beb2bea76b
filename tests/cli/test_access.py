"""`modelyard approve` and `modelyard token`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from modelyard.asgi.auth.file import read_auth_file
from modelyard.cli.main import run
from modelyard.registry.home import RegistryHome
from modelyard.registry.transfer import register_version
from tests.registry.making import apply, begin, claim_of_run, register, run_of, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRegistry:
    """Models of Amina's that ask for approval, in a registry on this machine."""
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return RegistryHome(tmp_path / "home").registry("amina")


def test_a_version_is_approved_and_shown_so(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(registry, approval="required", timezone="Africa/Nairobi")
    register_version(registry, claim_of_run(begin(registry, run_of())), write_files(tmp_path / "made"))

    monkeypatch.setenv("MODELYARD_ACTOR", "amina")
    assert run(["promote", "ke"]) == 1
    assert "modelyard approve ke 1" in capsys.readouterr().err
    assert run(["approve", "ke"]) == 77
    assert "`amina` is among those who made version 1" in capsys.readouterr().err
    assert run(["models", "ke"]) == 0
    assert "waits for it" in capsys.readouterr().out

    monkeypatch.setenv("MODELYARD_ACTOR", "wanjiru")
    assert run(["approve", "ke", "1", "--reason", "memo 112"]) == 0
    said = capsys.readouterr().out
    assert "Version 1 of ke is approved by wanjiru since" in said
    assert "It is live from" in said
    assert run(["models", "ke"]) == 0
    assert "by wanjiru, " in capsys.readouterr().out
    assert run(["approve", "ke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["promotion"]["version"] == 1


def test_what_is_left_to_do_is_said(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(registry, approval="required", promotion="manual")
    register(registry, tmp_path)
    monkeypatch.setenv("MODELYARD_ACTOR", "wanjiru")
    assert run(["approve", "ke"]) == 0
    assert "`modelyard promote ke 1` makes it live" in capsys.readouterr().out
    apply(registry, approval="required")
    register_version(registry, claim_of_run(begin(registry, run_of())), write_files(tmp_path / "made"))
    apply(registry, approval="required", seed=3)
    assert run(["approve", "ke"]) == 0
    assert "But it is not promoted: the model's definition has changed" in capsys.readouterr().out


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
