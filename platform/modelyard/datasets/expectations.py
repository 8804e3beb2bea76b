"""What can be expected of rows, and what became of it, in words.

Memory does not grow with the rows that are judged: docs/decisions/0004-audits-in-batches.md says how, and which
expectations that leaves. One more expectation is one more name in the table that says what must be in memory for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

ROW_BY_ROW = frozenset({
    "column_pair_values_a_to_be_greater_than_b", "column_pair_values_to_be_equal", "column_pair_values_to_be_in_set",
    "column_value_lengths_to_be_between", "column_value_lengths_to_equal", "column_values_to_be_between",
    "column_values_to_be_dateutil_parseable", "column_values_to_be_in_set", "column_values_to_be_json_parseable",
    "column_values_to_be_null", "column_values_to_match_regex", "column_values_to_match_regex_list",
    "column_values_to_match_strftime_format", "column_values_to_not_be_in_set", "column_values_to_not_be_null",
    "column_values_to_not_match_regex", "column_values_to_not_match_regex_list", "multicolumn_sum_to_equal",
    "select_column_values_to_be_unique_within_record",
})  # fmt: skip
"""Each row is judged by itself, so batches are judged in turn and their counts add up."""

OF_THE_COLUMNS = frozenset({
    "column_to_exist", "table_column_count_to_be_between", "table_column_count_to_equal",
    "table_columns_to_match_ordered_list", "table_columns_to_match_set",
})  # fmt: skip
"""Judged by the columns' names; no row is read."""

OF_THE_COUNT = frozenset({"table_row_count_to_be_between", "table_row_count_to_equal"})
"""Judged by the number of rows."""

OF_WHOLE_COLUMNS = frozenset({
    "column_distinct_values_to_be_in_set", "column_distinct_values_to_contain_set",
    "column_distinct_values_to_equal_set", "column_max_to_be_between", "column_mean_to_be_between",
    "column_median_to_be_between", "column_min_to_be_between", "column_most_common_value_to_be_in_set",
    "column_proportion_of_non_null_values_to_be_between", "column_proportion_of_unique_values_to_be_between",
    "column_quantile_values_to_be_between", "column_stdev_to_be_between", "column_sum_to_be_between",
    "column_unique_value_count_to_be_between", "column_value_z_scores_to_be_less_than",
    "column_values_to_be_unique", "compound_columns_to_be_unique",
})  # fmt: skip
"""Judged by all values of their columns at once, up to `MOST_VALUES` of them."""

SUPPORTED = ROW_BY_ROW | OF_THE_COLUMNS | OF_THE_COUNT | OF_WHOLE_COLUMNS

MOST_VALUES = 10_000_000
"""Values in memory for an expectation of whole columns: some 80 MB of numbers, and a few times that in work."""


class Rows(Protocol):
    """Rows that can be read as often as it takes, a part of the columns at a time."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows, some at a time."""


@dataclass(frozen=True)
class ExpectationResult:
    """What became of one expectation."""

    expect: str
    column: str | None
    severity: str
    success: bool
    rows: int | None
    """The rows that were judged, where rows are."""
    unexpected: int | None
    """How many of them were not as expected."""
    samples: tuple[str, ...]
    """Some of the unexpected values."""
    observed: str | None
    """What was observed, where rows are not judged by themselves."""

    @property
    def words(self) -> str:
        """The result as half a sentence."""
        subject = f"{self.expect} of `{self.column}`" if self.column else self.expect
        if self.success:
            return f"{subject}: holds"
        if self.unexpected is not None and self.rows:
            share = f"{self.unexpected:,} of {self.rows:,} rows ({self.unexpected / self.rows:.2%})"
            such = f", such as {', '.join(self.samples)}" if self.samples else ""
            return f"{subject}: {share} are unexpected{such}"
        found = self.observed or ", ".join(self.samples)
        return f"{subject}: does not hold; found {found}" if found else f"{subject}: does not hold"


@dataclass(frozen=True)
class AuditResult:
    """What became of all expectations of a place."""

    place: str
    """What was audited, such as ``source `loans` ``."""
    results: tuple[ExpectationResult, ...] = ()

    @property
    def success(self) -> bool:
        """Whether everything was as expected, warnings included."""
        return all(result.success for result in self.results)

    def failures(self, *severities: str) -> tuple[ExpectationResult, ...]:
        """The results that were not as expected; of some severities, or of all."""
        return tuple(
            result
            for result in self.results
            if not result.success and (not severities or result.severity in severities)
        )

    def content(self) -> dict[str, Any]:
        """The audit as plain JSON values, for a manifest's details."""
        results = [{**asdict(one), "samples": list(one.samples), "words": one.words} for one in self.results]
        return {"place": self.place, "results": results}

    def raise_for_critical(self) -> None:
        """Stop the work where something critical was not as expected.

        Raises:
            InvalidData: It was not.
        """
        failures = self.failures("critical")
        if failures:
            reason = f"{self.place} is not as expected: " + "; ".join(failure.words for failure in failures)
            raise InvalidData(reason, "mend the data, or give the expectation the severity warning")
