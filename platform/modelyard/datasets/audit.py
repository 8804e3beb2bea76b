"""Audits: whether rows are as expected, before anyone reads them.

Great Expectations judges; it is imported where there is something to judge, since that takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.datasets.expectations import AuditResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.config.kinds.source import Expectation
    from modelyard.datasets.expectations import Rows


def audit(expectations: Sequence[Expectation], rows: Rows, place: str) -> AuditResult:
    """Judge rows by expectations.

    Args:
        expectations: What should hold of them.
        rows: The rows.
        place: What they are, for messages.

    Returns:
        A result for each expectation, in their order.

    Raises:
        InvalidData: An expectation is unknown, has wrong arguments, names an unknown column, or cannot be judged in
            bounded memory.
        MissingExtra: There are expectations, and Great Expectations is not installed.
    """
    if not expectations:
        return AuditResult(place)
    from modelyard.datasets.great_expectations import judge

    return AuditResult(place, tuple(judge(expectations, rows, place)))
