"""What is printed for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.output import note, print_table

if TYPE_CHECKING:
    import pytest


def test_nobody_moves_the_cursor_of_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "failed\x1b[2K\x1b]0;title\x07\x9b1A\r of é"
    print_table("Runs", ["reason"], [[reason]])
    note(reason)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not {"\x1b", "\x07", "\x9b", "\r"} & set(text)
        assert "failed" in text
        assert "of é" in text
