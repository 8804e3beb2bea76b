import pytest

from modelyard.config.cron import check_cron


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *", "0 4 * * *", "*/15 * * * *", "5-50/5 0,12 1,15 * *", "0 0 29 2 *", "0 0 * jan-mar MON-fri",
        "0 0 31 2 1", "59 23 31 12 7", "10/5 * * * *", "0 0 31 1,2 *",
    ],
)  # fmt: skip
def test_a_schedule_that_comes_is_right(expression: str) -> None:
    assert check_cron(expression) == ""


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 4 * *", "it has 4 fields, not 5"),
        ("60 * * * *", "the minute `60` is not between 0 and 59"),
        ("0 24 * * *", "the hour `24`"),
        ("0 0 0 * *", "the day of the month `0`"),
        ("0 0 * 13 *", "the month `13`"),
        ("0 0 * * 8", "the day of the week `8`"),
        ("0 0 * * mo", "the day of the week `mo`"),
        ("5-1 * * * *", "the minute `5-1` ends before it begins"),
        ("*/0 * * * *", "the minute `*/0` has no step"),
        ("*/ * * * *", "has no step"),
        ("-1 * * * *", "the minute `` is not between"),
        ("1, * * * *", "the minute `` is not between"),
        ("\u0661 * * * *", "is not between"),
        ("0 0 30 2 *", "no month has that day"),
        ("0 0 31 4,6 *", "no month has that day"),
    ],
)
def test_a_schedule_that_never_comes_is_wrong(expression: str, words: str) -> None:
    assert words in check_cron(expression)
