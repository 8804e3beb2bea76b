"""Who may start: the oldest first, as many as fit, and no team at the cost of others."""

from __future__ import annotations

from modelyard.training.board import Board, Limits, make_board
from modelyard.training.launchers.launcher import Job, JobState


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


def test_a_job_counts_and_ends_whatever_it_is_called() -> None:
    names = ("ke-0123456789ab--1-1", "build-x", "somebody-s")
    jobs = [Job(name, JobState.RUNNING, team="one") for name in (*names, "trial-0123456789ab")]
    for in_pods in (True, False):
        board = make_board(jobs, Limits(3, in_pods=in_pods), lambda _run: 1)
        assert (board.used, board.used_by, board.take(1, "two")) == (3, {"one": 3}, False)
        assert board.unneeded(met_all=True) == [*names]
