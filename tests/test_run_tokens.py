"""Run tokens: derived, verified, and made from a key that nobody guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import UsageError
from modelyard.run_tokens import RunToken, mint, read_run_key, verified

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
RUN = "ke-loan-default-4f1c92ab77d0-1"


def test_a_token_is_derived_and_says_what_it_is_of() -> None:
    token = mint(RUN, 2, KEY)
    assert token == mint(RUN, 2, KEY)
    assert verified(token, KEY) == RunToken(RUN, 2)


def test_another_run_try_or_key_makes_another_token() -> None:
    token = mint(RUN, 2, KEY)
    proof = token.rpartition(".")[2]
    assert len({token, mint(RUN, 3, KEY), mint("other-1", 2, KEY), mint(RUN, 2, KEY[::-1])}) == 4
    for forged in (
        f"run.{RUN}.3.{proof}",
        f"run.other-1.2.{proof}",
        f"run.{RUN}.02.{proof}",
        f"run.{RUN}.2.{proof.upper()}",
        f"run.{RUN}.2.{proof[:-1]}",
        f"run.{RUN}.2.{proof}\n",
        f"run.{RUN}/2.2.{proof}",
        f"run.{RUN}.2.",
        f"run.{RUN}.\u0662.{proof}",
        "",
        "run.",
    ):
        assert verified(forged, KEY) is None, forged
    assert verified(token, KEY[::-1]) is None


def test_a_key_is_read_without_white_space(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\n" + KEY.hex().encode() + b"\n")
    assert read_run_key(file) == KEY.hex().encode()


@pytest.mark.parametrize("content", ["", "short", "0" * 64, "changeme" * 4, "secret" * 20])
def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(UsageError, match="can be guessed") as caught:
        read_run_key(file)
    assert "openssl rand" in caught.value.hint


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_run_key(tmp_path / "nowhere")
