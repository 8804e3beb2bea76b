"""Who may start: the oldest first, as many as fit, and no team at the cost of others."""

from __future__ import annotations

from modelyard.training.board import Board, Limits


def test_a_full_team_does_not_block_others() -> None:
    board = Board({}, Limits(4, per_team=2, teams={"large": 3}, in_pods=True))
    assert [board.take(8, "small") for _ in range(3)] == [True, True, False]
    assert board.refusal("small") == "its team's jobs to be free: 2 of 2 are taken"
    assert [board.is_full_for(team) for team in ("small", "large")] == [True, False]
    assert [board.take(1, "large") for _ in range(3)] == [True, True, False]
    assert board.refusal("large") == "free jobs: 4 of 4 are taken"
    assert board.is_full_for("third")


def test_without_a_bound_a_team_may_take_all() -> None:
    board = Board({}, Limits(3))
    assert [board.take(1.5, "one") for _ in range(3)] == [True, True, False]
    assert board.refusal("one") == "free cores: 3 of 3 are taken"
